//! The registry of a machine, by Windows' own program for it rather than by ours.

use std::fs;

use super::{Bits, Machine};
use crate::programs::Run;

/// How often values are written, which changes nothing where they stand already.
const ATTEMPTS: u32 = 3;

/// The program for it, as a program of these bits starts and sees it.
fn reg(bits: Bits) -> &'static str {
    match bits {
        Bits::B32 => r"C:\windows\syswow64\reg.exe",
        Bits::B64 => r"C:\windows\system32\reg.exe",
    }
}

impl Machine {
    /// Writes values as a product of these bits does; `lines` are those of an export: `[KEY]`, `"NAME"=VALUE`.
    #[track_caller]
    pub fn write_registry(&self, bits: Bits, lines: &str) {
        let text = format!("REGEDIT4\r\n\r\n{}\r\n", lines.replace('\n', "\r\n"));
        fs::write(self.disk("import.reg"), text).expect("a file can be written");
        let mut run = self.program(reg(bits), ["import", r"C:\import.reg"]);
        // Where much is going on, Wine now and then ends a program before it has begun: with 1, and without a word.
        for _ in 1..ATTEMPTS {
            if run.status == 1 && run.stdout.is_empty() && run.stderr.is_empty() {
                run = self.program(reg(bits), ["import", r"C:\import.reg"]);
            }
        }
        assert_eq!(run.status, 0, "{run:?}");
    }

    /// Reads a value as a program of these bits sees it: its type and contents; none if there is none.
    pub fn registry_value(&self, bits: Bits, key: &str, name: &str) -> Option<(String, String)> {
        let run = self.query(bits, &[key, "/v", name]);
        let line = run.stdout.lines().find_map(|line| line.trim().strip_prefix(name).map(str::to_owned))?;
        let (kind, contents) = line.trim().split_once(char::is_whitespace).unwrap_or((line.trim(), ""));
        Some((kind.to_owned(), contents.trim().to_owned()))
    }

    /// Tells whether there is a key, as a program of these bits sees it.
    pub fn has_registry_key(&self, bits: Bits, key: &str) -> bool {
        self.query(bits, &[key]).status == 0
    }

    /// Removes a value, or without its name a key with all below it, as a program of these bits does.
    #[track_caller]
    pub fn remove_registry(&self, bits: Bits, key: &str, name: Option<&str>) {
        let mut words = vec!["delete", key, "/f"];
        words.extend(name.iter().flat_map(|name| ["/v", *name]));
        let run = self.program(reg(bits), words);
        assert_eq!(run.status, 0, "{run:?}");
    }

    fn query(&self, bits: Bits, words: &[&str]) -> Run {
        self.program(reg(bits), ["query"].iter().chain(words))
    }
}
