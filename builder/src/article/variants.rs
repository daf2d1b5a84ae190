//! Tables that are one fix in several languages: variants of one recipe.
//!
//! A recipe's rules hold for all its variants, so only tables with the same files, platforms and versions are put together;
//! what differs are sizes and days. Which language a table is of stands above it.

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

/// Returns the variants that the chosen table is one of, that first; none where it stands alone.
pub(super) fn variants(tables: &[Table], chosen: usize) -> Vec<TableVariant> {
    let Some(first) = tables.get(chosen) else { return Vec::new() };
    let wanted = files(first);
    let mut found: Vec<TableVariant> = Vec::new();
    let others = tables.iter().enumerate().filter(|(at, _)| *at != chosen);
    for (at, table) in [(chosen, first)].into_iter().chain(others) {
        let named = table.heading.as_deref().and_then(name).filter(|_| files(table) == wanted);
        match named {
            Some((name, title, language)) if found.iter().all(|other| other.name != name) => {
                found.push(TableVariant { table: at, name, title, language });
            }
            None if at == chosen => return Vec::new(),
            Some(_) | None => {}
        }
    }
    if found.len() > 1 { found } else { Vec::new() }
}

/// Returns what is the same in all variants of a table.
fn files(table: &Table) -> Vec<[String; 3]> {
    let lower = |value: &Option<String>| value.as_deref().unwrap_or_default().to_lowercase();
    let mut files: Vec<[String; 3]> = table
        .rows
        .iter()
        .map(|row| [row.file.to_lowercase(), lower(&row.platform), lower(&row.version)])
        .collect();
    files.sort();
    files
}

/// Returns the variant that a heading names: an International Client Pack before the language it is in.
fn name(heading: &str) -> Option<(String, String, Option<u16>)> {
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

    #[test]
    fn tables_that_differ_in_language_alone_are_variants() {
        let table = |heading: &str, version: &str, size: &str| {
            format!(
                "{heading}\n\n   Version    Size   File name   Platform\n   -----\n   {version}    {size}  Abc.dll     Intel\n\n"
            )
        };
        let text = [
            table("The English version of this fix has these files:", "1.2.3.4", "1,234"),
            table("The French version of this fix has these files:", "1.2.3.4", "1,235"),
            table("The English SP3 International Client Pack 1 (ICP1) version:", "1.2.3.4", "1,236"),
            table("The German version of this fix has these files:", "1.2.3.5", "1,237"),
        ]
        .concat();
        let tables = Article::read(text.as_bytes()).unwrap().tables;
        let found: Vec<_> = variants(&tables, 0)
            .into_iter()
            .map(|variant| (variant.table, variant.name, variant.language))
            .collect();
        let wanted = [(0, "english", Some(0x0409)), (1, "french", Some(0x040c)), (2, "icp1", None)];
        assert_eq!(found, wanted.map(|(table, name, language)| (table, name.to_owned(), language)));
        assert!(variants(&tables, 3).is_empty() && variants(&tables, 4).is_empty());
    }
}
