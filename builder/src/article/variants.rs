//! Tables that are one fix in several languages, or for several service packs: variants of one recipe.
//!
//! A recipe's rules hold for all its variants, so only tables with the same files and platforms are put together; what differs
//! are versions, sizes and days. Which language or service pack a table is for stands above it.

use std::collections::BTreeSet;

use qfe_patcher::platform::Platform;

use super::draft::service_packs;
use super::table::Table;

/// A variant that a table is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TableVariant {
    /// The table, counted from 0.
    pub(super) table: usize,
    /// The name of the variant: `french`, `icp1`.
    pub(super) name: String,
    /// What it is, for people.
    pub(super) title: String,
    /// The Windows language id, if the language has one.
    pub(super) language: Option<u16>,
}

/// Languages as articles name them, with the ids of Windows.
const LANGUAGES: [(&str, Option<u16>); 22] = [
    ("simplified chinese", Some(0x0804)),
    ("traditional chinese", Some(0x0404)),
    ("brazilian", Some(0x0416)),
    ("english", Some(0x0409)),
    ("french", Some(0x040c)),
    ("german", Some(0x0407)),
    ("spanish", Some(0x0c0a)),
    ("italian", Some(0x0410)),
    ("japanese", Some(0x0411)),
    ("korean", Some(0x0412)),
    ("dutch", Some(0x0413)),
    ("swedish", Some(0x041d)),
    ("portuguese", Some(0x0816)),
    ("danish", Some(0x0406)),
    ("finnish", Some(0x040b)),
    ("norwegian", Some(0x0414)),
    ("polish", Some(0x0415)),
    ("russian", Some(0x0419)),
    ("czech", Some(0x0405)),
    ("hungarian", Some(0x040e)),
    ("turkish", Some(0x041f)),
    ("international", None),
];

/// What a heading says of the targets that its table is for.
struct Label {
    /// The name of the language or client pack, what it is for people, and its Windows language id.
    language: Option<(String, String, Option<u16>)>,
    /// The only service pack that it names: `SP3`.
    pack: Option<String>,
}

impl Label {
    fn of(heading: &str) -> Self {
        let mut packs = service_packs(heading);
        packs.remove("SP0");
        let pack = if packs.len() == 1 { packs.pop_first() } else { None };
        Self { language: language(heading), pack }
    }

    /// Makes the variant of a table with this heading, by its service pack too where that tells variants apart; none where
    /// nothing does.
    fn variant(self, table: usize, by_pack: bool) -> Option<TableVariant> {
        let pack = self.pack.filter(|_| by_pack);
        let pack = pack.map(|pack| (pack.to_lowercase(), pack.replace("SP", "Service Pack ")));
        let (name, title, language) = match (self.language, pack) {
            (Some((name, title, id)), None) => (name, title, id),
            (Some((name, title, id)), Some((pack, words))) => {
                (format!("{name}-{pack}"), format!("{title} {words}"), id)
            }
            (None, Some((pack, words))) => (pack, words, None),
            (None, None) => return None,
        };
        Some(TableVariant { table, name, title, language })
    }
}

/// Returns the variants that the chosen table is one of, that first; none where it stands alone.
pub(super) fn variants(tables: &[Table], chosen: usize) -> Vec<TableVariant> {
    let Some(first) = tables.get(chosen) else { return Vec::new() };
    let wanted = files(first);
    let others = tables.iter().enumerate().filter(|(at, _)| *at != chosen);
    let alike = [(chosen, first)].into_iter().chain(others).filter(|(_, table)| files(table) == wanted);
    let labels: Vec<(usize, Label)> =
        alike.map(|(at, table)| (at, Label::of(table.heading.as_deref().unwrap_or_default()))).collect();
    let packs: BTreeSet<&String> = labels.iter().filter_map(|(_, label)| label.pack.as_ref()).collect();
    let by_pack = packs.len() > 1;
    let mut found: Vec<TableVariant> = Vec::new();
    for (at, label) in labels {
        match label.variant(at, by_pack) {
            Some(variant) if found.iter().all(|other| other.name != variant.name) => found.push(variant),
            None if at == chosen => return Vec::new(),
            Some(_) | None => {}
        }
    }
    // What several have tells none of them.
    let ids: Vec<Option<u16>> = found.iter().map(|variant| variant.language).collect();
    for variant in &mut found {
        let is_own = |id: &u16| ids.iter().filter(|other| **other == Some(*id)).count() == 1;
        variant.language = variant.language.filter(is_own);
    }
    if found.len() > 1 { found } else { Vec::new() }
}

/// Returns what is the same in all variants of a table.
fn files(table: &Table) -> Vec<(String, Vec<Platform>)> {
    let mut files: Vec<(String, Vec<Platform>)> =
        table.rows.iter().map(|row| (row.file.to_lowercase(), table.platforms(row))).collect();
    files.sort();
    files
}

/// Returns the language that a heading names: an International Client Pack before the language it is in.
fn language(heading: &str) -> Option<(String, String, Option<u16>)> {
    let lower = heading.to_lowercase();
    let pack = lower.split(|c: char| !c.is_ascii_alphanumeric()).find(|word| {
        let number = word.strip_prefix("icp").unwrap_or_default();
        number.len() == 1 && number.bytes().all(|byte| byte.is_ascii_digit())
    });
    if let Some(pack) = pack {
        let number = pack.trim_start_matches("icp");
        return Some((pack.to_owned(), format!("International Client Pack {number}"), None));
    }
    let (language, id) = LANGUAGES.into_iter().find(|(language, _)| lower.contains(language))?;
    let mut title = language.to_owned();
    if let Some(first) = title.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    Some((language.replace(' ', "-"), title, id))
}

#[cfg(test)]
mod tests {
    use super::super::Article;
    use super::*;

    /// Returns the variants that the chosen one of tables with these headings, versions and sizes is of.
    fn found(rows: &[(&str, &str, &str)], chosen: usize) -> Vec<(usize, String, Option<u16>)> {
        let table = |(heading, version, size): &(&str, &str, &str)| {
            format!(
                "{heading}\n\n   Version    Size   File name   Platform\n   -----\n   {version}    {size}  Abc.dll     Intel\n\n"
            )
        };
        let text: String = rows.iter().map(table).collect();
        let tables = Article::read(text.as_bytes()).unwrap().tables;
        assert_eq!(tables.len(), rows.len(), "{text}");
        let found = variants(&tables, chosen).into_iter();
        found.map(|variant| (variant.table, variant.name, variant.language)).collect()
    }

    fn wanted(all: &[(usize, &str, Option<u16>)]) -> Vec<(usize, String, Option<u16>)> {
        all.iter().map(|(table, name, language)| (*table, (*name).to_owned(), *language)).collect()
    }

    #[test]
    fn tables_of_the_same_files_in_other_languages_are_variants() {
        let tables = [
            ("The English version of this fix has these files:", "1.2.3.4", "1,234"),
            ("The French version of this fix has these files:", "1.2.3.4", "1,235"),
            ("The English SP3 International Client Pack 1 (ICP1) version:", "1.2.3.4", "1,236"),
            ("The German version of this fix has these files:", "1.2.3.5", "1,237"),
            ("The original English version had these files:", "1.2.3.3", "1,238"),
        ];
        let all = [
            (0, "english", Some(0x0409)),
            (1, "french", Some(0x040c)),
            (2, "icp1", None),
            (3, "german", Some(0x0407)),
        ];
        assert_eq!(found(&tables, 0), wanted(&all));
        let chosen = found(&tables, 3);
        assert_eq!((chosen.len(), chosen[0].1.as_str()), (4, "german"));
        assert!(found(&tables, 5).is_empty() && found(&tables[..1], 0).is_empty());
    }

    #[test]
    fn tables_of_the_same_files_for_other_service_packs_are_variants() {
        let packs = [
            ("The English version of this fix for SMS 2.0 SP3 has these files:", "1.2.3.4", "1"),
            ("The English version of this fix for SMS 2.0 SP2 has these files:", "1.2.2.4", "2"),
            ("The French version of the post Service Pack 2 fix has these files:", "1.2.2.4", "3"),
        ];
        let all = [(0, "english-sp3", None), (1, "english-sp2", None), (2, "french-sp2", Some(0x040c))];
        assert_eq!(found(&packs, 0), wanted(&all));
        let bare = [("The SP3 files:", "1.2.3.4", "1"), ("The Service Pack 2 files:", "1.2.2.4", "2")];
        assert_eq!(found(&bare, 0), wanted(&[(0, "sp3", None), (1, "sp2", None)]));
        let unclear =
            [("Files for SP2 and SP3:", "1.2.3.4", "1"), ("The Service Pack 2 files:", "1.2.2.4", "2")];
        assert!(found(&unclear, 0).is_empty() && found(&unclear, 1).is_empty());
    }
}
