//! Paths that are proven to stay inside a folder, on Windows as on Linux.

use std::fmt;
use std::str::FromStr;

use crate::chain::debug_as_shown;

/// A relative path that names a file or folder inside a target or a bundle.
///
/// Components are separated by `/`. Every component is printable ASCII that Windows and Linux read alike:
/// no `..`, drive, stream (`:`), wildcard or device name, no trailing dot or space, no short (8.3) alias.
/// Two paths that differ by case only name the same file: [`TargetPath::folded`] is what to compare.
/// A folder name that starts with `$NtUninstall` belongs to the patcher's own records and is refused.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetPath(String);

/// A path that could name something outside the folder, or two different things on two systems.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("path {path:?} is refused: {reason}")]
pub struct UnsafePath {
    path: String,
    reason: &'static str,
}

debug_as_shown!(UnsafePath);

/// Longest path in bytes: within Windows' 260 even below a long root.
const MAX_LENGTH: usize = 180;
/// Start of the names of the patcher's own folders, ignoring case.
pub const RESERVED_PREFIX: &str = "$NtUninstall";

impl TargetPath {
    /// Returns the path with `/` between its components.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the path in lower case: the form in which equal paths are equal texts.
    pub fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }

    /// Returns the components in order.
    pub fn components(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// Returns the last component.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }
}

/// Says what is wrong with one component, if anything is.
fn objection(component: &str) -> Option<&'static str> {
    if component.is_empty() {
        return Some("a component is empty, so it is absolute or ends in a separator");
    }
    if component == "." || component == ".." {
        return Some("it holds '.' or '..'");
    }
    if component.bytes().any(|b| !(b' '..=b'~').contains(&b)) {
        return Some("it holds a character that is not printable ASCII");
    }
    if component.contains(['<', '>', ':', '"', '|', '?', '*', '\\']) {
        return Some("it holds one of < > : \" | ? * \\");
    }
    if component.ends_with(['.', ' ']) || component.starts_with(' ') {
        return Some("a component ends in a dot or a space, or starts with a space");
    }
    if is_device_name(component) {
        return Some("a component is a device name of Windows");
    }
    if is_short_alias(component) {
        return Some("a component looks like a short (8.3) alias of another name");
    }
    if component.get(..RESERVED_PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(RESERVED_PREFIX))
    {
        return Some("a component starts with $NtUninstall, which names the patcher's own folders");
    }
    None
}

/// Tells whether Windows opens a device by this name, extension or none ("Naming Files, Paths, and Namespaces").
fn is_device_name(component: &str) -> bool {
    let stem = component.split('.').next().unwrap_or(component).trim_end().to_ascii_lowercase();
    match stem.as_str() {
        "con" | "prn" | "aux" | "nul" | "conin$" | "conout$" | "clock$" => true,
        _ => stem
            .strip_prefix("com")
            .or_else(|| stem.strip_prefix("lpt"))
            .is_some_and(|port| port.len() == 1 && port.bytes().all(|b| b.is_ascii_digit())),
    }
}

/// Tells whether the name has the form `ABCDEF~1.EXT`, by which Windows may reach a longer name.
fn is_short_alias(component: &str) -> bool {
    let stem = component.split('.').next().unwrap_or(component);
    stem.len() <= 8
        && stem
            .rsplit_once('~')
            .is_some_and(|(_, digits)| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

impl FromStr for TargetPath {
    type Err = UnsafePath;

    fn from_str(text: &str) -> Result<Self, UnsafePath> {
        let refuse = |reason| Err(UnsafePath { path: text.chars().take(200).collect(), reason });
        if text.len() > MAX_LENGTH {
            return refuse("it is longer than 180 bytes");
        }
        match text.split('/').find_map(objection) {
            Some(reason) => refuse(reason),
            None => Ok(Self(text.to_owned())),
        }
    }
}

impl fmt::Display for TargetPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_articles_paths_are_taken() {
        for text in
            ["Ccm.dll", "Bin/i386/Ccm.dll", "Inboxes/Clicomp.src/Base/alpha/Clisvcl.exe", "deltas/a-b.bsdiff"]
        {
            assert_eq!(text.parse::<TargetPath>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn what_may_lead_elsewhere_is_refused() {
        for text in [
            "",
            "/",
            "/etc/passwd",
            "..",
            "../x",
            "a/../b",
            "a//b",
            "a/",
            "./a",
            "C:/x",
            "C:x",
            "a:stream",
            "\\\\srv\\x",
            "a\\b",
            "NUL",
            "nul.txt",
            "Bin/COM1",
            "lpt9.dll",
            "aux .dll",
            "a.",
            "a ",
            " a",
            "a\n",
            "é.dll",
            "a?",
            "PROGRA~1/x",
            "$NtUninstallQ1$/journal",
            "$ntuninstall",
            "CONIN$",
        ] {
            assert!(text.parse::<TargetPath>().is_err(), "{text:?}");
        }
        assert!("a".repeat(181).parse::<TargetPath>().is_err());
    }

    #[test]
    fn names_that_merely_resemble_devices_are_taken() {
        for text in ["console.exe", "com10.dll", "common.dll", "null.dat", "notes~draft.txt"] {
            assert!(text.parse::<TargetPath>().is_ok(), "{text:?}");
        }
    }
}
