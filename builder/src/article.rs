//! Articles of the Knowledge Base: read into tables and recipes, and written from manifests.
//!
//! [`Article::read`] takes an article apart: number, title, and every row of every file table as printed, with what is
//! doubtful about them. [`Article::recipe`] makes a recipe of it. [`page::Page`] is the reverse: what a bundle says about itself,
//! as a page or as text, which [`Article::read`] reads again to the same table.
//!
//! | module | is responsible for |
//! |---|---|
//! | `source`, `html` | bytes to numbered lines, of text and of saved pages |
//! | `cell`, `platform`, `heading`, `row`, `table` | file tables, from the value up |
//! | `block` | files that are described one value a line |
//! | `check` | values that are broken, rows that contradict each other |
//! | `prose`, `instructions` | what stands around the tables: number, title, products, steps |
//! | `draft`, `variants` | the recipe |
//! | [`page`] | the article of a bundle |
//!
//! Nothing here opens a file. Whatever the bytes are, reading returns; what it takes is bounded by [`MAX_ARTICLE`].

use qfe_patcher::json::{Json, ToJson, object};

mod block;
pub(crate) mod cell;
mod check;
mod draft;
mod heading;
mod html;
mod instructions;
pub mod page;
pub(crate) mod platform;
mod prose;
mod row;
mod source;
mod table;
#[cfg(test)]
mod tests;
mod variants;

pub use check::Doubt;
pub use row::Row;
pub use source::{MAX_ARTICLE, SourceError};
pub use table::Table;

use prose::Paragraph;

/// An article as it was read.
#[derive(Clone, Debug)]
pub struct Article {
    /// Its number, such as `Q252717`.
    pub id: Option<String>,
    /// Its title.
    pub title: Option<String>,
    /// Its file tables, in order.
    pub tables: Vec<Table>,
    /// What a reader should look at, by line.
    pub doubts: Vec<Doubt>,
    applies_to: Vec<String>,
    paragraphs: Vec<Paragraph>,
}

impl Article {
    /// Reads an article: plain text, or a saved page.
    pub fn read(bytes: &[u8]) -> Result<Self, SourceError> {
        let lines = source::lines(bytes)?;
        let tables = table::tables(&lines)?;
        let prose::Head { id, title, applies_to } = prose::head(&lines);
        let doubts = check::doubts(&tables);
        Ok(Self { id, title, tables, doubts, applies_to, paragraphs: prose::paragraphs(&lines) })
    }

    /// Takes the number from the name of the article's file, if the article has none.
    pub fn take_id(&mut self, file: &str) {
        self.id = self.id.take().or_else(|| prose::numbers(file).into_iter().next());
    }

    /// Adds the tables of another copy of this article that are not there yet.
    pub fn join(&mut self, other: Self) {
        let rows = |table: &Table| -> Vec<Row> {
            table.rows.iter().map(|row| Row { line: 0, ..row.clone() }).collect()
        };
        let known: Vec<Vec<Row>> = self.tables.iter().map(rows).collect();
        self.tables.extend(other.tables.into_iter().filter(|table| !known.contains(&rows(table))));
        self.title = self.title.take().or(other.title);
    }

    /// Returns the paragraphs of a section, with an empty line between them.
    pub(crate) fn section(&self, name: &str) -> Option<String> {
        let texts: Vec<&str> = self
            .paragraphs
            .iter()
            .filter(|paragraph| paragraph.section == name)
            .map(|paragraph| paragraph.text.as_str())
            .collect();
        (!texts.is_empty()).then(|| texts.join("\n\n"))
    }
}

impl ToJson for Article {
    fn to_json(&self) -> Json {
        object!({ "id": self.id, "title": self.title, "tables": self.tables })
    }
}

impl ToJson for Table {
    fn to_json(&self) -> Json {
        object!({ "heading": self.heading, "rows": self.rows })
    }
}

impl ToJson for Row {
    fn to_json(&self) -> Json {
        object!({
            "file": self.file, "version": self.version, "size": self.size, "platform": self.platform,
            "date": self.date, "time": self.time,
        })
    }
}

impl ToJson for Doubt {
    fn to_json(&self) -> Json {
        object!({ "line": self.line, "text": self.text })
    }
}
