//! What `keyring.toml` says, as it is written: FORMAT.md describes every key.

use std::fmt::Display;
use std::str::FromStr;

use super::toml::{self, Line};
use crate::day::Day;
use crate::json::Json;
use crate::name::UpdateId;
use crate::plain_text::is_line;

/// The name of the file in a folder of keys.
pub const RING_FILE: &str = "keyring.toml";
/// Most characters of a name or reason: a line of a console, or two.
const MAX_LINE: usize = 120;

/// What is done about a date that has passed, or has not come yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// It is told: the clock of a machine without a network is no authority.
    Warn,
    /// Nothing is believed by it.
    Refuse,
}

/// How many of which keys must sign.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// The product that asks for it, as manifests name it (ASCII case means nothing); empty: the ring itself.
    pub product: String,
    /// How many keys must sign.
    pub threshold: usize,
    /// The names of those that count; empty: all of the ring.
    pub keys: Vec<String>,
}

/// The oldest revision of an update that was not withdrawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Floor {
    /// The update.
    pub update: UpdateId,
    /// Its revision.
    pub revision: u32,
}

/// A key; what is empty was not said.
#[derive(Debug, Default)]
pub(super) struct KeyEntry {
    pub(super) name: String,
    pub(super) key: String,
    pub(super) from: Option<Day>,
    pub(super) until: Option<Day>,
    pub(super) revoked: Option<String>,
}

/// A floor; what is none or 0 was not said.
#[derive(Debug, Default)]
pub(super) struct FloorEntry {
    pub(super) update: Option<UpdateId>,
    pub(super) revision: u32,
}

/// The file as a whole.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) name: Option<String>,
    pub(super) version: Option<u32>,
    pub(super) issued: Option<Day>,
    pub(super) expires: Option<Day>,
    pub(super) expiry: Expiry,
    pub(super) keys: Vec<KeyEntry>,
    /// The ring's own rule, then those of products.
    pub(super) rules: Vec<Rule>,
    pub(super) floors: Vec<FloorEntry>,
}

impl Document {
    /// Reads the text, or tells what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut document = Self {
            name: None,
            version: None,
            issued: None,
            expires: None,
            expiry: Expiry::Warn,
            keys: Vec::new(),
            rules: vec![Rule::default()],
            floors: Vec::new(),
        };
        let mut table = String::new();
        toml::read(text, &mut |line| document.take(&mut table, line))?;
        match document.contradiction() {
            Some(what) => Err(what),
            None => Ok(document),
        }
    }

    /// Takes what a line says; `table` is the one that is open.
    fn take(&mut self, table: &mut String, line: Line<'_>) -> Result<(), String> {
        let (key, value) = match line {
            Line::Table(name) => {
                match name {
                    "key" => self.keys.push(KeyEntry::default()),
                    "product" => self.rules.push(Rule::default()),
                    "floor" => self.floors.push(FloorEntry::default()),
                    _ => return Err(format!("the table `{name}` is not known")),
                }
                name.clone_into(table);
                return Ok(());
            }
            Line::Entry(key, value) => (key, Value(value)),
        };
        let taken =
            match (table.as_str(), self.keys.last_mut(), self.rules.last_mut(), self.floors.last_mut()) {
                ("", _, Some(rule), _) => match key {
                    "name" => value.line().map(|name| self.name = Some(name)),
                    "version" => value.number().map(|version| self.version = Some(version)),
                    "threshold" => value.count().map(|count| rule.threshold = count),
                    "issued" => value.parsed().map(|day| self.issued = Some(day)),
                    "expires" => value.parsed().map(|day| self.expires = Some(day)),
                    "expiry" => value.expiry().map(|expiry| self.expiry = expiry),
                    _ => return Err(unknown(key)),
                },
                ("key", Some(entry), ..) => match key {
                    "name" => value.line().map(|name| entry.name = name),
                    "key" => value.line().map(|line| entry.key = line),
                    "from" => value.parsed().map(|day| entry.from = Some(day)),
                    "until" => value.parsed().map(|day| entry.until = Some(day)),
                    "revoked" => value.line().map(|reason| entry.revoked = Some(reason)),
                    _ => return Err(unknown(key)),
                },
                ("product", _, Some(rule), _) => match key {
                    "name" => value.line().map(|name| rule.product = name),
                    "threshold" => value.count().map(|count| rule.threshold = count),
                    "keys" => value.lines().map(|keys| rule.keys = keys),
                    _ => return Err(unknown(key)),
                },
                (.., Some(floor)) => match key {
                    "update" => value.parsed().map(|update| floor.update = Some(update)),
                    "revision" => value.number().map(|revision| floor.revision = revision),
                    _ => return Err(unknown(key)),
                },
                _ => Ok(()),
            };
        taken.map_err(|what| format!("`{key}`: {what}"))
    }

    /// Finds what is missing, and what the parts say against one another; what needs the keys themselves is not looked at.
    fn contradiction(&self) -> Option<String> {
        if self.version.is_some() && (self.name.is_none() || self.issued.is_none() || self.keys.is_empty()) {
            let what = "with a version it must have a name, the day it was issued, and its keys in [[key]]";
            return Some(what.to_owned());
        }
        if is_late(self.issued, self.expires) {
            return Some("it expires before it was issued".to_owned());
        }
        for (index, key) in self.keys.iter().enumerate() {
            let shown = &key.name;
            if shown.is_empty() || key.key.is_empty() {
                return Some(format!("[[key]] number {}: name or key is missing", index + 1));
            }
            if is_late(key.from, key.until) {
                return Some(format!("key {shown:?} ends before it begins"));
            }
            if self.keys.iter().take(index).any(|other| other.name.eq_ignore_ascii_case(shown)) {
                return Some(format!("key {shown:?} is there twice"));
            }
        }
        for (index, rule) in self.rules.iter().enumerate() {
            let shown = &rule.product;
            if index == 0 && rule.threshold == 0 {
                return Some("`threshold` is missing".to_owned());
            }
            if index > 0 && (shown.is_empty() || rule.threshold == 0) {
                return Some(format!("[[product]] number {index}: name or threshold is missing"));
            }
            if self.rules.iter().take(index).any(|other| other.product.eq_ignore_ascii_case(shown)) {
                return Some(format!("product {shown:?} is there twice"));
            }
            let is_there = |name: &&String| self.keys.iter().any(|key| key.name == **name);
            if let Some(name) = rule.keys.iter().find(|name| !is_there(name)) {
                return Some(format!("product {shown:?} names a key {name:?}, which is not there"));
            }
        }
        for (index, floor) in self.floors.iter().enumerate() {
            if floor.update.is_none() || floor.revision == 0 {
                return Some(format!("[[floor]] number {}: update or revision is missing", index + 1));
            }
            if self.floors.iter().take(index).any(|other| other.update == floor.update) {
                return Some(format!("[[floor]] number {}: the update is there twice", index + 1));
            }
        }
        None
    }
}

/// Tells whether the first day is behind the last one.
fn is_late(first: Option<Day>, last: Option<Day>) -> bool {
    first.zip(last).is_some_and(|(first, last)| first > last)
}

fn unknown(key: &str) -> String {
    format!("the key `{key}` is not known there")
}

fn parsed<T: FromStr<Err: Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

/// What stands at a key.
struct Value(Json);

impl Value {
    /// Takes a text of one line; it is printed.
    fn line(&self) -> Result<String, String> {
        let text = self.0.as_text().unwrap_or_default();
        if text.is_empty() || text.len() > MAX_LINE || !is_line(text) {
            return Err(format!(
                "a line of 1 to {MAX_LINE} bytes in double quotes is wanted, found {}",
                self.0
            ));
        }
        Ok(text.to_owned())
    }

    fn lines(&self) -> Result<Vec<String>, String> {
        match &self.0 {
            Json::List(elements) => elements.iter().map(|element| Self(element.clone()).line()).collect(),
            _ => Err(format!("an array of texts is wanted, found {}", self.0)),
        }
    }

    fn number(&self) -> Result<u32, String> {
        let number = match self.0 {
            Json::Number(number) => u32::try_from(number).ok(),
            _ => None,
        };
        number
            .filter(|number| *number > 0)
            .ok_or_else(|| format!("a whole number from 1 is wanted, found {}", self.0))
    }

    fn count(&self) -> Result<usize, String> {
        self.number().map(|number| usize::try_from(number).unwrap_or(usize::MAX))
    }

    fn parsed<T: FromStr<Err: Display>>(&self) -> Result<T, String> {
        parsed(&self.line()?)
    }

    fn expiry(&self) -> Result<Expiry, String> {
        match self.0.as_text() {
            Some("warn") => Ok(Expiry::Warn),
            Some("refuse") => Ok(Expiry::Refuse),
            _ => Err(format!("\"warn\" or \"refuse\" is wanted, found {}", self.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        Document::parse(text).map(drop).unwrap_err()
    }

    #[test]
    fn a_threshold_alone_is_a_ring() {
        let document = Document::parse("\u{feff}# Two must sign.\r\n\r\n\tthreshold =  2 # two\r\n").unwrap();
        assert_eq!(document.rules[0].threshold, 2);
        assert_eq!((document.version, document.keys.len(), document.expiry), (None, 0, Expiry::Warn));
    }

    #[test]
    fn whatever_is_unknown_or_of_another_kind_is_refused_by_line_and_name() {
        for (text, wanted) in [
            ("treshold = 1", "line 1: the key `treshold` is not known there"),
            ("\nthreshold = \"2\"", "line 2: `threshold`: a whole number from 1 is wanted, found \"2\""),
            ("threshold = -1", "line 1: `threshold`: a whole number from 1 is wanted, found null"),
            ("threshold = 0", "line 1: `threshold`: a whole number from 1 is wanted, found 0"),
            ("threshold = 1.0", "line 1: `threshold`: a whole number from 1 is wanted"),
            ("threshold = 99999999999999999999", "line 1: `threshold`: a whole number from 1 is wanted"),
            ("version = 4294967296", "line 1: `version`: a whole number from 1 is wanted, found 4294967296"),
            ("version = 0", "line 1: `version`: a whole number from 1 is wanted, found 0"),
            ("expires = \"2027-02-31\"", "line 1: `expires`: \"2027-02-31\" is no day"),
            ("issued = 20270231", "line 1: `issued`: a line of 1 to 120 bytes in double quotes is wanted"),
            ("expiry = \"ask\"", "line 1: `expiry`: \"warn\" or \"refuse\" is wanted, found \"ask\""),
            ("name = null", "line 1: `name`: a line of 1 to 120 bytes"),
            ("name = {}", "line 1: `name`: a line of 1 to 120 bytes"),
            ("name = \"\"", "line 1: `name`: a line of 1 to 120 bytes"),
            ("name = \"\\u001b[2J\"", "line 1: `name`: a line of 1 to 120 bytes"),
            ("key = []", "line 1: the key `key` is not known there"),
            ("[[keys]]", "line 1: the table `keys` is not known"),
            ("[[key]]\nid = \"A\"", "line 2: the key `id` is not known there"),
            ("[[product]]\nkeys = \"A\"", "line 2: `keys`: an array of texts is wanted, found \"A\""),
            ("[[product]]\nkeys = [1]", "line 2: `keys`: a line of 1 to 120 bytes"),
            ("[[floor]]\nupdate = \"Q 1\"", "line 2: `update`: \"Q 1\" is no update number"),
            ("[[floor]]\nthreshold = 1", "line 2: the key `threshold` is not known there"),
        ] {
            let found = refused(text);
            assert!(found.starts_with(wanted), "{text:?}: {found}");
        }
    }

    #[test]
    fn what_is_missing_or_contradicts_itself_is_refused() {
        let ring = "threshold = 1\nname = \"R\"\nversion = 1\nissued = \"2026-01-31\"\n";
        let key = "[[key]]\nname = \"A\"\nkey = \"x\"\n";
        let product = "[[product]]\nname = \"P\"\nthreshold = 1\n";
        let floor = "[[floor]]\nupdate = \"Q1\"\nrevision = 1\n";
        assert!(Document::parse(&format!("{ring}{key}{product}{floor}")).is_ok());
        for (text, wanted) in [
            (String::new(), "`threshold` is missing"),
            ("# threshold = 2".to_owned(), "`threshold` is missing"),
            (ring.to_owned(), "with a version"),
            (
                format!("{ring}{key}[[product]]\nname = \"P\""),
                "[[product]] number 1: name or threshold is missing",
            ),
            (format!("{}{key}", ring.replace("name", "#")), "with a version"),
            (format!("{}{key}", ring.replace("issued", "#")), "with a version"),
            (format!("{ring}expires = \"2026-01-30\"\n{key}"), "it expires before it was issued"),
            (format!("{ring}{key}from = \"2026-02-01\"\nuntil = \"2026-01-01\""), "key \"A\" ends before"),
            (format!("{ring}{key}{}", key.replace('A', "a")), "key \"a\" is there twice"),
            (format!("{ring}{key}[[key]]\nname = \"B\""), "[[key]] number 2: name or key is missing"),
            (format!("{ring}{key}[[key]]\nkey = \"y\""), "[[key]] number 2: name or key is missing"),
            (
                format!("{ring}{key}[[product]]\nthreshold = 1"),
                "[[product]] number 1: name or threshold is missing",
            ),
            (format!("{ring}{key}{product}{}", product.replace('P', "p")), "product \"p\" is there twice"),
            (
                format!("{ring}{key}{product}keys = [\"B\"]"),
                "product \"P\" names a key \"B\", which is not there",
            ),
            (
                format!("{ring}{key}{floor}{}", floor.replace('Q', "q")),
                "[[floor]] number 2: the update is there twice",
            ),
            (
                format!("{ring}{key}[[floor]]\nrevision = 1"),
                "[[floor]] number 1: update or revision is missing",
            ),
            (
                format!("{ring}{key}[[floor]]\nupdate = \"Q1\""),
                "[[floor]] number 1: update or revision is missing",
            ),
        ] {
            let found = refused(&text);
            assert!(found.starts_with(wanted), "{text:?}: {found}");
        }
    }
}
