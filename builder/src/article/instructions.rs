//! What an article says about installing: which file goes where in which role, what is registered, stopped, and done by
//! hand.
//!
//! Instructions are prose. This reader knows the sentences of the Knowledge Base (`Replace the X file in the Y folder`) and
//! nothing else: what it does not know it leaves, and whoever reads the recipe is told so.

use std::collections::{BTreeMap, BTreeSet};

use super::cell::is_file_name;
use super::prose::{Paragraph, Part};

/// What the instructions come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Instructions {
    /// What each role gets, by the name of the role.
    pub(super) roles: BTreeMap<&'static str, Vec<Placing>>,
    /// Files that are registered, in lower case.
    pub(super) registered: BTreeSet<String>,
    /// Services that are stopped: key names where they are known.
    pub(super) services: BTreeSet<String>,
    /// What else is done.
    pub(super) by_hand: Vec<ByHand>,
}

/// Where files go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Placing {
    /// The files, in lower case; none: all of them.
    pub(super) files: Vec<String>,
    /// The folder below the target, with `{platform}`; none: the role's own, or one that cannot be told.
    pub(super) to: Option<Folder>,
    /// The name that the file gets there, if it is another.
    pub(super) renamed: Option<String>,
}

/// A folder below the target.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Folder {
    /// As a recipe writes it.
    Known(String),
    /// As the article writes it: it holds something that only a person can fill in.
    Unclear(String),
}

/// Something that is done by hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ByHand {
    /// The line where it stands.
    pub(super) line: usize,
    /// Whether it comes before the files are replaced.
    pub(super) is_before: bool,
    /// What to do.
    pub(super) text: String,
}

/// Roles of the built-in profile, and what a title says where their instructions begin.
const ROLES: [(&str, &[&str]); 3] = [
    ("sql-monitor", &["remote sms sql monitor", "remote sql monitor", "sql monitor server"]),
    ("provider", &["remote sms provider", "remote provider", "provider server"]),
    (
        "console",
        &["remote sms administrator console", "remote administrator console", "sms administrator console"],
    ),
];
/// Most places of a role, and most steps by hand: no article has a tenth of them.
const MAX_PLACES: usize = 500;
const MAX_STEPS: usize = 100;
/// The role where no title says otherwise.
const SITE_SERVER: &str = "site-server";

/// Display names of services, and their key names.
const SERVICES: [(&str, &str); 7] = [
    ("sms site component manager", "SMS_SITE_COMPONENT_MANAGER"),
    ("sms executive", "SMS_EXECUTIVE"),
    ("sms sql monitor", "SMS_SQL_MONITOR"),
    ("sms inventory agent", "SMS_INVENTORY_AGENT_NT"),
    ("windows management", "WinMgmt"),
    ("all sms services", "all SMS services"),
    ("all sms 1.2 site services", "all SMS services"),
];

/// A step with the list below it.
struct Step<'a> {
    paragraph: &'a Paragraph,
    /// What stands in the list.
    items: Vec<&'a str>,
    role: &'static str,
}

impl Step<'_> {
    /// Tells whether it announces what has not come yet.
    fn is_open(&self) -> bool {
        self.items.is_empty() && self.paragraph.text.ends_with(':')
    }

    /// Returns the step and its list as one text.
    fn whole(&self) -> String {
        let mut text = self.paragraph.text.clone();
        for item in &self.items {
            text.push(' ');
            text.push_str(item);
        }
        text
    }
}

/// Reads the instructions of an article, given the names of its files.
pub(super) fn instructions(paragraphs: &[Paragraph], files: &[String]) -> Instructions {
    let names: BTreeSet<String> = files.iter().map(|name| base(name).to_lowercase()).collect();
    let mut found = Instructions::default();
    for procedure in procedures(paragraphs) {
        read(&procedure, &names, &mut found);
    }
    let everywhere = paragraphs.iter().any(|paragraph| {
        let text = paragraph.text.to_lowercase();
        (text.contains("any system on which") || text.contains("each computer"))
            && text.contains("administrator console")
    });
    if everywhere && let Some(places) = found.roles.get(SITE_SERVER).cloned() {
        found.roles.entry("console").or_insert(places);
    }
    found
}

/// Cuts the article into procedures: the steps below one title, without those that run an installer.
fn procedures(paragraphs: &[Paragraph]) -> Vec<Vec<Step<'_>>> {
    let mut procedures: Vec<Vec<Step<'_>>> = Vec::new();
    let mut open: Vec<Step<'_>> = Vec::new();
    let mut role = SITE_SERVER;
    let mut is_installer = false;
    for paragraph in paragraphs {
        if matches!(paragraph.section.as_str(), "SYMPTOMS" | "CAUSE" | "WORKAROUND" | "STATUS") {
            continue;
        }
        let lower = paragraph.text.to_lowercase();
        let is_note_of_steps =
            paragraph.kind == Part::Text && lower.contains("these steps") && lower.ends_with(':');
        let opens = paragraph.kind == Part::Title || is_note_of_steps;
        if opens {
            procedures.push(std::mem::take(&mut open));
            is_installer =
                (lower.contains("installer") || lower.contains("regedit") || lower.contains("regedt32"))
                    && !lower.contains("manual");
            role = role_of(&lower).unwrap_or(SITE_SERVER);
            continue;
        }
        if is_installer {
            continue;
        }
        let is_step = matches!(paragraph.kind, Part::Step(_) | Part::SubStep);
        if is_step {
            // A step that is a procedure itself: its letters are the steps of the other machine.
            let begins_other = lower.contains("remote") && lower.ends_with(':') && lower.contains("steps");
            if matches!(paragraph.kind, Part::Step(_)) {
                role = if begins_other { role_of(&lower).unwrap_or(role) } else { main_role(role, &open) };
            }
            open.push(Step { paragraph, items: Vec::new(), role });
        } else if let Some(step) = open.last_mut()
            && (paragraph.kind == Part::Item || is_list_of_files(&paragraph.text) || step.is_open())
        {
            step.items.push(&paragraph.text);
        } else if lower.contains("replace the")
            || lower.starts_with("to install the hotfix")
            || lower.contains("before you apply")
        {
            open.push(Step { paragraph, items: Vec::new(), role });
        }
    }
    procedures.push(open);
    procedures
}

/// Returns the role of the procedure once a step for another machine is over.
fn main_role(role: &'static str, open: &[Step<'_>]) -> &'static str {
    open.first().map_or(role, |step| step.role)
}

fn role_of(lower: &str) -> Option<&'static str> {
    let is_remote = lower.contains("remote") || lower.contains("server");
    ROLES
        .iter()
        .find(|(_, titles)| is_remote && titles.iter().any(|title| lower.contains(title)))
        .map(|(role, _)| *role)
}

fn is_list_of_files(text: &str) -> bool {
    text.split_whitespace().all(|word| is_file_name(word.trim_end_matches('.')))
}

/// Takes what the steps of a procedure say.
fn read(steps: &[Step<'_>], names: &BTreeSet<String>, found: &mut Instructions) {
    let placed: Vec<Option<Vec<Placing>>> = steps.iter().map(|step| placings(step, names)).collect();
    let first = placed.iter().position(Option::is_some);
    for (at, (step, placings)) in steps.iter().zip(placed).enumerate() {
        let text = step.whole();
        let lower = text.to_lowercase();
        if lower.contains("regsvr32") {
            found.registered.extend(files_in(&text, names));
            continue;
        }
        if let Some(placings) = placings {
            let places = found.roles.entry(step.role).or_default();
            for placing in placings {
                if places.len() < MAX_PLACES && !places.contains(&placing) {
                    places.push(placing);
                }
            }
            continue;
        }
        if is_word_of(&lower, &["stop", "stops"]) && lower.contains("service") {
            found.services.extend(services_in(&text));
            continue;
        }
        let is_step = matches!(step.paragraph.kind, Part::Step(_));
        let is_before = first.is_none_or(|first| at < first);
        let is_wish = is_step && first.is_some() && step.role == SITE_SERVER && is_by_hand(&lower);
        if is_wish || lower.contains("before you apply this hotfix, you must") {
            let parts = steps.iter().skip(at + 1).take_while(|step| step.paragraph.kind == Part::SubStep);
            let parts = parts.zip('a'..='z').map(|(part, letter)| format!(" {letter}) {}", part.whole()));
            let text = std::iter::once(step.whole()).chain(parts).collect::<String>();
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            let text = text.strip_prefix("NOTE: ").unwrap_or(&text).to_owned();
            let by_hand =
                ByHand { line: step.paragraph.line, is_before: is_before && !is_late(&lower), text };
            let is_new = found.by_hand.iter().all(|other| other.text != by_hand.text);
            if is_new && found.by_hand.len() < MAX_STEPS {
                found.by_hand.push(by_hand);
            }
        }
    }
}

/// Tells whether a step is none that the patcher does, or that is done for it.
fn is_by_hand(lower: &str) -> bool {
    let starts = |words: &[&str]| words.iter().any(|word| lower.starts_with(word));
    let done = [
        "stop",
        "restart",
        "start ",
        "close",
        "quit",
        "log on",
        "create a folder",
        "make a backup",
        "copy",
        "replace",
        "on the site server, quit",
        "on the site server, close",
        "from each of",
        "run q",
        "on the computer that you want",
        "from the updated",
        "perform a site shutdown",
        "apply the updated files",
        "update the remote",
        "maintenance manager",
        "the files will be",
        "that file will",
        "rename the",
    ];
    let asks = [
        "run ",
        "load ",
        "script",
        "update the system.map",
        "delete ",
        "reset",
        "use the",
        "in the sql",
        "rename",
        "expand",
        "wait",
        "verify",
        "set ",
        "change",
    ];
    !starts(&done) && !lower.contains("stopsite") && asks.iter().any(|word| lower.contains(word))
}

fn is_late(lower: &str) -> bool {
    lower.contains("site reset") || lower.contains("reset the site") || lower.contains("perform a site reset")
}

fn is_word_of(lower: &str, words: &[&str]) -> bool {
    lower.split(|c: char| !c.is_alphanumeric()).any(|word| words.contains(&word))
}

/// Returns where a step puts files; nothing if it does not.
fn placings(step: &Step<'_>, names: &BTreeSet<String>) -> Option<Vec<Placing>> {
    let text = step.whole();
    let lower = text.to_lowercase();
    let copies = ["replace", "copy", "overwrite"].iter().any(|word| lower.contains(word));
    let prepares = [
        "backup copy",
        "folder structure",
        "disk or network share that",
        "files to a disk",
        "to a disk or network",
        "platform folders",
        "contents of the hotfix",
        "sets of",
        "console files to",
        "provider files to",
        "monitor files to",
    ];
    if !copies || lower.contains("regsvr32") || prepares.iter().any(|word| lower.contains(word)) {
        return None;
    }
    let files = files_in(&text, names);
    let folders = folders_in(&text, names);
    let renamed = renaming(&lower, &files, names);
    if let Some((file, name)) = renamed {
        return Some(vec![Placing { files: vec![file], to: folders.first().cloned(), renamed: Some(name) }]);
    }
    if files.is_empty() {
        let is_general = ["updated file", "updated sms files", "the files from", "hotfix files"]
            .iter()
            .any(|word| lower.contains(word));
        return is_general.then(|| vec![Placing { files, to: folders.first().cloned(), renamed: None }]);
    }
    if folders.is_empty() {
        let is_told = lower.contains("folder") || lower.contains("directory");
        return is_told.then(|| vec![Placing { files, to: None, renamed: None }]);
    }
    Some(
        folders.into_iter().map(|to| Placing { files: files.clone(), to: Some(to), renamed: None }).collect(),
    )
}

/// Returns the file that goes in under another name: `Replace the Compver.ini file ... with the Compverbase.ini file`.
fn renaming(lower: &str, files: &[String], names: &BTreeSet<String>) -> Option<(String, String)> {
    let (front, back) = lower.split_once(" with the ")?;
    let old = front
        .split_whitespace()
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()))
        .find(|word| is_file_name(word) && !word.contains('\\'))?;
    let new = files.iter().find(|file| back.contains(file.as_str()) && *file != old)?;
    (!names.contains(old)).then(|| (new.clone(), spelled(old)))
}

/// Spells a name as articles do: the first letter large.
fn spelled(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// Returns the files of the article that a text names, in lower case.
fn files_in(text: &str, names: &BTreeSet<String>) -> Vec<String> {
    let mut found = Vec::new();
    for word in
        text.split(|c: char| c.is_whitespace() || matches!(c, '\\' | '"' | ',' | ';' | '(' | ')' | '<' | '>'))
    {
        let name = word.trim_end_matches(['.', ':']).to_lowercase();
        if names.contains(&name) && !found.contains(&name) {
            found.push(name);
        }
    }
    found
}

/// Returns the services that a text names.
fn services_in(text: &str) -> BTreeSet<String> {
    let lower = text.to_lowercase();
    let mut found: BTreeSet<String> = SERVICES
        .iter()
        .filter(|(name, _)| lower.contains(name))
        .map(|(_, service)| (*service).to_owned())
        .collect();
    for word in text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')) {
        if word.to_ascii_uppercase().starts_with("SMS_") && word.len() > 5 {
            found.insert(word.trim_end_matches('_').to_ascii_uppercase());
        }
    }
    found
}

/// Returns the folders that a text names, as a recipe writes them.
fn folders_in(text: &str, names: &BTreeSet<String>) -> Vec<Folder> {
    let mut found: Vec<Folder> = Vec::new();
    for word in path_words(text) {
        let word = word.trim_end_matches(['.', ',', ';', ':', ')']).trim_matches('"');
        if !word.contains('\\') || word.starts_with("HK") || word.starts_with("\\\\") {
            continue;
        }
        if let Some(folder) = folder(word, names).filter(|folder| !found.contains(folder)) {
            found.push(folder);
        }
    }
    found
}

/// Cuts a text into words, of which what stands in angle brackets is a part with its blanks.
fn path_words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let (mut start, mut depth) = (0, 0_u32);
    for (at, c) in text.char_indices() {
        match c {
            '<' => depth += 1,
            '>' => depth = depth.saturating_sub(1),
            c if c.is_whitespace() && depth == 0 => {
                words.push(text.get(start..at).unwrap_or_default());
                start = at + c.len_utf8();
            }
            _ => {}
        }
    }
    words.push(text.get(start..).unwrap_or_default());
    words
}

/// Makes of a path as articles write it a folder below the target.
fn folder(path: &str, names: &BTreeSet<String>) -> Option<Folder> {
    let mut parts: Vec<&str> = path.split('\\').filter(|part| !part.is_empty()).collect();
    let last = parts.last()?.trim_end_matches('.').to_lowercase();
    if names.contains(&last) || (is_file_name(&last) && !last.ends_with(".bin") && !last.ends_with(".src")) {
        parts.pop();
    }
    let is_root = |part: &str| {
        let lower = part.to_lowercase();
        let lower = lower.trim_matches(['<', '>', ':']);
        matches!(lower, "sms" | "smsprov" | "smsadmin" | "x" | "c" | "sms_root")
            || (part.starts_with('<') && ["root", "drive", "dir"].iter().any(|word| lower.contains(word)))
    };
    while parts.first().is_some_and(|part| is_root(part)) {
        parts.remove(0);
    }
    if parts.is_empty() {
        return None;
    }
    let filled: Vec<String> = parts
        .iter()
        .map(|part| {
            let lower = part.to_lowercase();
            match lower.as_str() {
                "<platform>" | "<processor type>" | "platform" | "i386" | "alpha" => "{platform}".to_owned(),
                "bin" => "Bin".to_owned(),
                _ => match lower.strip_prefix("<platform>") {
                    Some(ending) => {
                        format!("{{platform}}{}", part.get(part.len() - ending.len()..).unwrap_or_default())
                    }
                    None => (*part).to_owned(),
                },
            }
        })
        .collect();
    let joined = filled.join("/");
    let is_safe =
        joined.replace("{platform}", "i386").parse::<qfe_patcher::target_path::TargetPath>().is_ok();
    Some(if is_safe { Folder::Known(joined) } else { Folder::Unclear(path.to_owned()) })
}

/// Returns the name behind a path.
pub(super) fn base(name: &str) -> &str {
    name.rsplit(['\\', '/']).next().unwrap_or(name).trim_end_matches('*')
}

#[cfg(test)]
mod tests {
    use super::super::prose::paragraphs;
    use super::super::source::lines;
    use super::*;

    fn read_all(text: &str, files: &[&str]) -> Instructions {
        let files: Vec<String> = files.iter().map(|name| (*name).to_owned()).collect();
        instructions(&paragraphs(&lines(text.as_bytes()).unwrap()), &files)
    }

    fn known(folder: &str) -> Option<Folder> {
        Some(Folder::Known(folder.to_owned()))
    }

    #[test]
    fn files_go_where_the_steps_say_in_each_role() {
        let found = read_all(
            "MORE INFORMATION\n================\n\nUsing the Hotfix Installer\n--------------------------\n\n1. Copy the Def.dll file to the x\\y \
             folder.\n\nManual Installation\n-------------------\n\n1. Stop the SMS_EXECUTIVE and SMS Site Component Manager services.\n\n2. Replace \
             the Abc.dll file in the\n   <Sms root dir>\\Bin\\<Platform> folder with the version\n   obtained from the update.\n\n3. Copy the \
             Def.dll file to the <Drive>:\\Sms\\Inboxes\\X\\<Platform>\n   folder.\n\n4. Replace the Compver.ini file in the \
             <Sms_root>\\Inboxes\\X folder with the\n   Compverx.ini file.\n\n5. Run the Update.sql script, for which:\n\n   a. Open it.\n\n   b. Look for:\n\n      x = 1\n\n6. Restart the services.\n\nHow to \
             Manually Update a Remote SMS Provider\n-------------------------------------------\n\n1. Use Regsvr32.exe to unregister the \
             files:\n\n    - <SMS_root>\\bin\\<processor type>\\Abc.dll\n\n2. Make a backup copy of the file(s).\n\n3. Copy the updated file(s) to \
             the SMS Provider\n   folder.\n",
            &["Abc.dll", "Def.dll", "Compverx.ini", "Update.sql"],
        );
        let site = found.roles.get("site-server").unwrap();
        assert_eq!(
            site,
            &[
                Placing { files: vec!["abc.dll".into()], to: known("Bin/{platform}"), renamed: None },
                Placing { files: vec!["def.dll".into()], to: known("Inboxes/X/{platform}"), renamed: None },
                Placing {
                    files: vec!["compverx.ini".into()],
                    to: known("Inboxes/X"),
                    renamed: Some("Compver.ini".into())
                },
            ]
        );
        let provider = found.roles.get("provider").unwrap();
        assert_eq!(provider, &[Placing { files: Vec::new(), to: None, renamed: None }]);
        assert_eq!(found.roles.len(), 2);
        assert_eq!(found.registered, BTreeSet::from(["abc.dll".to_owned()]));
        let services = ["SMS_EXECUTIVE", "SMS_SITE_COMPONENT_MANAGER"].map(str::to_owned);
        assert_eq!(found.services, BTreeSet::from(services));
        let [step] = found.by_hand.try_into().unwrap();
        assert_eq!(
            (step.is_before, step.text.as_str()),
            (false, "Run the Update.sql script, for which: a) Open it. b) Look for: x = 1")
        );
    }

    #[test]
    fn folders_that_only_a_person_knows_are_kept_as_written() {
        let folder = |path: &str| folder(path, &BTreeSet::new());
        assert_eq!(folder(r"<SMS_root>\Site.srv\<Platform>.bin"), known("Site.srv/{platform}.bin"));
        assert_eq!(folder(r"SMS_root\Bin\Platform"), known("Bin/{platform}"));
        assert_eq!(folder(r"x:\Sms\Site.srv\Smsls.bat"), known("Site.srv"));
        assert_eq!(
            folder(r"<Root folder>\Inboxes\<Component>"),
            Some(Folder::Unclear(r"<Root folder>\Inboxes\<Component>".into()))
        );
        assert_eq!(folder(r"<Drive>:\Sms"), None);
    }
}
