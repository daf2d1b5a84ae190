//! What is wrong about an update and its article.

use qfe_builder::article::{Row, Table};

use super::*;

fn row(file: &str, platform: &str, version: &str, size: &str, date: &str) -> Row {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Row {
        file: file.to_owned(),
        platform: some(platform),
        version: some(version),
        size: some(size),
        date: some(date),
        ..Row::default()
    }
}

/// The table that agrees with a fixture, each value printed in a way of its own.
fn table(fixture: &Fixture) -> Vec<Row> {
    let size = fixture.get("update/i386/CCM.DLL").len();
    vec![
        row("Ccm.dll", "Intel", "2.00.1380.1125", &format!("{size} bytes"), "10/10/1999"),
        row("CCM.DLL", "Alpha", "2.0.1380.1125", &format!("{} KB", size.div_ceil(1024)), "11-Oct-1999"),
        row("Compver.ini", "", "", "11", "1/1/2000"),
    ]
}

/// A change of the table, and the finding that tells it: code, file and platform.
type Mistake = (fn(&mut Vec<Row>), Code, Option<&'static str>, Option<Platform>);

pub(super) const MISTAKES: [Mistake; 8] = [
    (
        |table| table.push(row("Baseobj.dll", "Alpha", "", "", "")),
        Code::NotInPayload,
        Some("Baseobj.dll"),
        Some(Alpha),
    ),
    (|table| drop(table.remove(0)), Code::NotInArticle, Some("Ccm.dll"), Some(I386)),
    (
        |table| table[0].version = Some("2.0.1380.1126".to_owned()),
        Code::ArticleVersion,
        Some("Ccm.dll"),
        Some(I386),
    ),
    (|table| table[1].size = Some("90 KB".to_owned()), Code::ArticleSize, Some("Ccm.dll"), Some(Alpha)),
    (|table| table[1].date = Some("1/28/2000".to_owned()), Code::ArticleDate, Some("Ccm.dll"), Some(Alpha)),
    (
        |table| table[1].date = Some("12/20/199".to_owned()),
        Code::ArticleUnclear,
        Some("Ccm.dll"),
        Some(Alpha),
    ),
    (|table| table[0].size = Some("large".to_owned()), Code::ArticleUnclear, Some("Ccm.dll"), Some(I386)),
    (|table| table[0].version = Some("SP1".to_owned()), Code::ArticleUnclear, Some("Ccm.dll"), Some(I386)),
];

#[test]
fn an_article_that_agrees_gives_no_finding_and_each_that_does_not_gives_one() {
    let fixture = Fixture::new();
    let of_article = |table: &[Row]| -> Vec<(Code, Option<String>, Option<Platform>)> {
        let findings = findings(&fixture, Some(&[Table::of(table.to_vec())])).into_iter();
        let findings = findings.filter(|finding| finding.code >= Code::NotInPayload);
        findings.map(|finding| (finding.code, finding.file, finding.platform)).collect()
    };
    assert_eq!(of_article(&table(&fixture)), []);
    for (change, code, file, platform) in MISTAKES {
        let mut table = table(&fixture);
        change(&mut table);
        assert_eq!(of_article(&table), [(code, file.map(str::to_owned), platform)]);
    }
}
