use std::collections::BTreeMap;

use proptest::prelude::*;

use qfe_patcher::bundle::manifest::FileEntry;
use qfe_patcher::digest::Digest;
use qfe_patcher::version::FileVersion;

use super::*;
use crate::article::Row;
use crate::profile::Profile;

/// A manifest of the built-in profile with these files.
fn manifest(title: &str, files: Vec<FileEntry>) -> Manifest {
    let profile = Profile::sms2().unwrap();
    Manifest {
        format: 1,
        id: "Q123456".parse().unwrap(),
        title: title.to_owned(),
        revision: 1,
        product: profile.product.clone(),
        builds: vec![1380],
        requires: vec!["Q123450".parse().unwrap()],
        supersedes: Vec::new(),
        log: "LOGS/Q123456.log".parse().unwrap(),
        registration: None,
        levels: profile.levels.clone(),
        gates: profile.gates.clone(),
        roles: profile.role_entries(),
        readiness: Vec::new(),
        manual: vec![qfe_patcher::bundle::product::ManualStep {
            when: Moment::After,
            roles: vec!["site-server".parse().unwrap()],
            text: "Run Update.sql.".to_owned(),
        }],
        variants: Vec::new(),
        files,
        deltas: Vec::new(),
        members: Vec::new(),
    }
}

fn file(
    platform: Platform,
    name: &str,
    size: u64,
    version: Option<[u16; 4]>,
    time_stamp: Option<u32>,
) -> FileEntry {
    let place = |role: &str, to: String| InstallEntry {
        role: role.parse().unwrap(),
        verb: qfe_patcher::bundle::manifest::Verb::ReplaceFile,
        to: to.parse().unwrap(),
    };
    FileEntry {
        platform,
        variant: None,
        name: name.parse().unwrap(),
        size,
        sha256: Digest::of(name.as_bytes()),
        version: version.map(FileVersion),
        time_stamp,
        member: Some(format!("{platform}/{name}").parse().unwrap()),
        register: name == "Smsprov.dll",
        install: vec![
            place("site-server", format!("Bin/{platform}/{name}")),
            place("console", format!("Bin/{platform}/{name}")),
        ],
        baselines: Vec::new(),
    }
}

fn sample() -> Manifest {
    manifest(
        "A <title> & \"more\"",
        vec![
            file(Platform::I386, "Ccm.dll", 146_800, Some([2, 0, 1380, 1125]), Some(949_056_540)),
            file(Platform::I386, "Smsprov.dll", 4_188_624, Some([2, 0, 1380, 1126]), Some(0)),
            file(Platform::Alpha, "Compver.ini", 67, None, None),
        ],
    )
}

fn prose() -> Prose {
    Prose {
        symptoms: Some(
            "It fails.\n\nIt fails <again> & again, on the file Ccm.dll 1.2.3.4 of 1/2/2000.".to_owned(),
        ),
        cause: None,
        text: Some("More words.".to_owned()),
    }
}

/// The rows that a reader should find, without their lines.
fn wanted(manifest: &Manifest) -> Vec<Row> {
    let or_none = |text: String| (!text.is_empty()).then_some(text);
    let row = |file: &FileEntry| {
        let FileRow { date, time, version, size, name, platform } = FileRow::of(file);
        Row {
            line: 0,
            file: name,
            version: or_none(version),
            size: or_none(size),
            platform: or_none(platform),
            date: or_none(date),
            time: or_none(time),
        }
    };
    manifest.files.iter().map(row).collect()
}

fn read(text: &str) -> (Article, Vec<Row>) {
    let article = Article::read(text.as_bytes()).unwrap();
    assert!(article.tables.len() <= 1, "{:?}", article.tables);
    let rows = article.tables.iter().flat_map(|table| &table.rows).cloned();
    let rows = rows.map(|row| Row { line: 0, ..row }).collect();
    (article, rows)
}

#[test]
fn the_page_says_what_the_manifest_says_and_is_read_again() {
    let page = Page::of(&sample(), &prose());
    for text in [page.html(), page.text()] {
        let (article, rows) = read(&text);
        assert_eq!(rows, wanted(&sample()), "{text}");
        assert_eq!(article.id.as_deref(), Some("Q123456"));
        assert_eq!(article.title.as_deref(), Some("A <title> & \"more\""));
        assert!(article.doubts.is_empty(), "{:?}", article.doubts);
        for words in [
            "28-Jan-2000",
            "10:49",
            "146,800",
            "SMS_EXECUTIVE",
            "Run Update.sql.",
            "Q123450",
            "build 1380 (SP1)",
            "It fails",
            "More words.",
            "Close the SMS Administrator console",
            "Regsvr32",
            "each only where there",
        ] {
            assert!(text.contains(words), "{words}\n{text}");
        }
        assert_eq!(text.matches("Manual Installation").count(), 2, "the roles that get files");
        assert_eq!(Page::prose(text.as_bytes()).unwrap(), prose());
    }
}

#[test]
fn the_page_holds_nothing_but_itself() {
    let html = Page::of(&sample(), &prose()).html();
    assert!(html.contains("A &lt;title&gt; &amp; &quot;more&quot;") && !html.contains("<title> &"));
    for outside in ["<script", "src=", "href=", "url(", "@import", "http"] {
        assert!(!html.contains(outside), "{outside}");
    }
}

#[test]
fn each_variant_has_a_table_of_its_own() {
    let mut manifest = sample();
    let german: qfe_patcher::name::Variant = "german".parse().unwrap();
    manifest.variants = vec![qfe_patcher::bundle::manifest::VariantEntry {
        variant: german.clone(),
        title: "German".to_owned(),
        languages: vec![0x407],
    }];
    manifest.files.last_mut().unwrap().variant = Some(german);
    let page = Page::of(&manifest, &Prose::default());
    for text in [page.html(), page.text()] {
        let article = Article::read(text.as_bytes()).unwrap();
        let [all, german] = article.tables.as_slice() else { panic!("{:?}", article.tables) };
        assert_eq!((all.rows.len(), german.rows.len()), (2, 1));
        assert!(german.heading.as_ref().unwrap().starts_with("The German version of update"), "{german:?}");
        assert!(text.contains("with the German version"), "{text}");
    }
}

#[test]
fn a_lean_bundle_says_that_it_cannot_be_installed_by_hand() {
    let mut manifest = sample();
    manifest.files.iter_mut().for_each(|file| file.member = None);
    let text = Page::of(&manifest, &Prose::default()).text();
    assert!(text.contains("installed. Use qfe-patcher.") && !text.contains("Stop the following"), "{text}");
    assert!(!text.contains("SYMPTOMS"), "{text}");
}

proptest! {
    #[test]
    fn any_file_table_is_read_back(
        files in prop::collection::vec(
            ("[A-Za-z][A-Za-z0-9_]{0,14}(-[A-Za-z0-9]{1,4})?\\.[a-z][a-z0-9]{0,3}", any::<bool>(), 1_u64..=1 << 30, any::<Option<[u16; 4]>>(), any::<Option<u32>>()),
            1..12,
        ),
        title in "[ -~]{0,60}",
    ) {
        let mut entries: BTreeMap<(Platform, String), FileEntry> = BTreeMap::new();
        for (name, is_alpha, size, version, stamp) in files {
            let platform = if is_alpha { Platform::Alpha } else { Platform::I386 };
            if name.parse::<qfe_patcher::target_path::TargetPath>().is_ok() {
                entries.insert((platform, name.to_lowercase()), file(platform, &name, size, version, stamp));
            }
        }
        let manifest = manifest(&title, entries.into_values().collect());
        let page = Page::of(&manifest, &prose());
        for text in [page.html(), page.text()] {
            let (article, rows) = read(&text);
            prop_assert_eq!(&rows, &wanted(&manifest), "{}", text);
            prop_assert_eq!(article.id.as_deref(), Some("Q123456"));
        }
    }
}
