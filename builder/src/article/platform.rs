//! Platforms as articles print them: which words name one, and which of those that bundles are made for they mean.

use qfe_patcher::platform::Platform;

/// Words that only names of processors are made of.
const PROCESSORS: &[&str] = &[
    "intel",
    "x86",
    "ix86",
    "i386",
    "i486",
    "i586",
    "386",
    "486",
    "80386",
    "ia32",
    "ia-32",
    "alpha",
    "axp",
    "axp64",
    "mips",
    "ppc",
    "powerpc",
    "ia64",
    "ia-64",
    "itanium",
    "x64",
    "amd64",
    "x86-64",
    "nec98",
    "pc98",
    "pc-98",
    "macintosh",
    "mac",
    "68k",
    "m68k",
];
/// Words that stand beside them.
const SYSTEMS: &[&str] = &[
    "dec",
    "windows",
    "win",
    "win16",
    "win32",
    "win95",
    "win98",
    "win9x",
    "winnt",
    "nt",
    "95",
    "98",
    "me",
    "2000",
    "xp",
    "3.1",
    "3.11",
    "3.51",
    "4.0",
    "osr1",
    "osr2",
    "osr2.1",
    "osr2.5",
    "sp1",
    "sp2",
    "sp3",
    "sp4",
    "sp5",
    "sp6",
    "sp6a",
    "os/2",
    "os2",
    "ms-dos",
    "dos",
    "16-bit",
    "32-bit",
    "64-bit",
    "nec",
    "motorola",
    "server",
    "workstation",
    "professional",
    "edition",
    "all",
    "any",
    "both",
    "neutral",
    "netware",
    "novell",
    "unix",
    "r4000",
    "os",
    "multi",
    "x",
];
/// Words between them.
const LINKS: &[&str] = &["and", "or", "&", "+", "/", ",", "platform", "platforms"];

/// Tells whether a text names a platform.
pub(super) fn is_platform(text: &str) -> bool {
    // `(Windows` is the beginning of something longer.
    if text.matches('(').count() != text.matches(')').count() {
        return false;
    }
    let text = text.trim_matches(|c| matches!(c, '(' | ')' | '[' | ']' | '*')).to_ascii_lowercase();
    let mut names = 0;
    let words: Vec<&str> = text.split([' ', ',', '/']).filter(|word| !word.is_empty()).collect();
    let is_known = words.len() <= 6
        && (SYSTEMS.contains(&text.as_str())
            || words.iter().all(|word| {
                let word = word.trim_matches(['(', ')']);
                let word = word.strip_suffix("-based").unwrap_or(word);
                let is_name = PROCESSORS.contains(&word) || SYSTEMS.contains(&word);
                names += usize::from(is_name);
                is_name || LINKS.contains(&word)
            }));
    // A number alone is none, though it may be part of one.
    is_known && text.chars().any(char::is_alphabetic) && (names > 0 || SYSTEMS.contains(&text.as_str()))
}

/// Tells whether a text names a processor and nothing else.
pub(super) fn is_processor(text: &str) -> bool {
    is_platform(text)
        && text
            .split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
            .any(|word| PROCESSORS.contains(&word.to_ascii_lowercase().trim_end_matches("-based")))
}

/// Returns the platform that a text names and says nothing else: `Intel:`, `For Alpha-based computers`.
pub(super) fn platform_alone(text: &str) -> Option<String> {
    const FILLERS: &[&str] = &[
        "for",
        "the",
        "platform",
        "platforms",
        "version",
        "versions",
        "files",
        "file",
        "based",
        "computers",
        "computer",
        "systems",
        "processor",
        "processors",
        "only",
        "build",
        "binaries",
        "edition",
    ];
    let text = text.trim().trim_matches(['-', '=', '*', '#', '_']).trim().trim_end_matches([':', '.']);
    let words: Vec<&str> = text.split_whitespace().collect();
    if words.is_empty() || words.len() > 8 {
        return None;
    }
    let names: Vec<&str> = words
        .into_iter()
        .filter(|word| !FILLERS.contains(&word.trim_end_matches(':').to_lowercase().as_str()))
        .collect();
    let name = names.join(" ");
    let name = name.strip_suffix("-based").unwrap_or(&name);
    (is_platform(name) && is_processor(name)).then(|| name.to_owned())
}

/// Returns the platform that the heading of a table speaks of.
pub(super) fn platform_of_heading(heading: &str) -> Option<&str> {
    let mut names = heading
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
        .map(|word| word.trim_end_matches("-based"))
        .filter(|word| is_processor(word));
    let first = names.next()?;
    names.all(|other| other.eq_ignore_ascii_case(first)).then_some(first)
}

/// Returns the platforms of bundles that a printed one means; none, if bundles are made for none of it. A system that ran on
/// several processors means all of them, unless it is printed with one: `Windows NT`, `Windows NT Alpha`.
pub(crate) fn platforms(printed: &str) -> Vec<Platform> {
    const INTEL: &[&str] = &["intel", "x86", "ix86", "i386", "i486", "i586", "386", "486", "80386", "ia32"];
    const ALPHA: &[&str] = &["alpha", "axp"];
    const OTHERS: &[&str] =
        &["mips", "r4000", "ppc", "powerpc", "ia64", "itanium", "macintosh", "mac", "68k", "m68k"];
    const BOTH: &[&str] = &["all", "any", "both", "neutral", "nt", "winnt"];
    const PERSONAL: &[&str] = &["windows", "win95", "win98", "win9x", "win16", "dos", "nec98", "pc98"];
    let lower = printed.to_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric()).collect();
    let has = |names: &[&str]| words.iter().any(|word| names.contains(word));
    match (has(INTEL), has(ALPHA)) {
        (true, true) => Platform::ALL.to_vec(),
        (true, false) => vec![Platform::I386],
        (false, true) => vec![Platform::Alpha],
        (false, false) if has(BOTH) && !has(OTHERS) => Platform::ALL.to_vec(),
        (false, false) if has(PERSONAL) && !has(OTHERS) => vec![Platform::I386],
        (false, false) => Vec::new(),
    }
}

/// Returns the platform that a folder of an article is for, if its name says so.
pub(super) fn platform_of_folder(folder: &str) -> Option<Platform> {
    folder.split('/').find_map(|part| match part.to_lowercase().split('.').next().unwrap_or_default() {
        "x86" | "i386" | "intel" => Some(Platform::I386),
        "alpha" => Some(Platform::Alpha),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_are_known_by_many_names() {
        for text in [
            "Intel",
            "(x86)",
            "I386",
            "Alpha",
            "Windows 95 OSR2",
            "Macintosh",
            "Intel and Alpha",
            "x86, Alpha",
            "Intel/Alpha",
            "DEC Alpha",
            "Windows NT 4.0",
            "x86-based",
        ] {
            assert!(is_platform(text), "{text}");
        }
        for text in ["2000", "95", "and", "Ccm.dll", "the Intel version", "", "4.0", "(Windows", "NT)"] {
            assert!(!is_platform(text), "{text}");
        }
    }

    #[test]
    fn a_platform_alone_is_told_from_a_sentence() {
        assert_eq!(platform_alone("Intel:").as_deref(), Some("Intel"));
        assert_eq!(platform_alone("For Alpha-based computers:").as_deref(), Some("Alpha"));
        assert_eq!(platform_alone("  --- x86 ---").as_deref(), Some("x86"));
        for text in ["The Intel version of this fix should have", "Windows NT 4.0:", "English:", ""] {
            assert_eq!(platform_alone(text), None, "{text}");
        }
    }

    #[test]
    fn a_printed_platform_means_those_of_bundles() {
        for (printed, wanted) in [
            ("Intel and Alpha", &Platform::ALL[..]),
            ("Windows NT", &Platform::ALL),
            ("All", &Platform::ALL),
            ("(x86)", &[Platform::I386]),
            ("ix86", &[Platform::I386]),
            ("Windows 95 OSR2", &[Platform::I386]),
            ("Windows NT Alpha", &[Platform::Alpha]),
            ("DEC Alpha AXP", &[Platform::Alpha]),
            ("Windows NT MIPS", &[]),
            ("Macintosh", &[]),
        ] {
            assert_eq!(platforms(printed), wanted, "{printed}");
        }
    }

    #[test]
    fn headings_and_folders_speak_of_platforms() {
        assert_eq!(platform_of_heading("The Alpha-based version (Alpha) of this fix"), Some("Alpha"));
        assert_eq!(platform_of_heading("The Intel and Alpha versions"), None);
        assert_eq!(platform_of_folder("Site.srv/X86.bin"), Some(Platform::I386));
        assert_eq!(platform_of_folder("Bin/Alpha"), Some(Platform::Alpha));
        assert_eq!(platform_of_folder("Bin"), None);
    }
}
