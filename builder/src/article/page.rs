//! The article of a bundle: what it fixes, its file table, and how it is installed by hand in every role.
//!
//! A page is made of a manifest and of the words that a recipe adds, and shown as HTML ([`Page::html`]) or as plain text
//! ([`Page::text`]), in the layout that admins know from the Knowledge Base. It is made by nothing but these: the same bundle has
//! the same page. [`crate::article::Article::read`] reads either to the same file table.

use std::collections::BTreeSet;

use qfe_patcher::bundle::manifest::{FileEntry, InstallEntry, Manifest, Verb};
use qfe_patcher::bundle::product::{Moment, RoleEntry};
use qfe_patcher::platform::Platform;

use super::{Article, SourceError};
use crate::recipe::Prose;

mod html;
mod text;

/// The member of a bundle that is its article.
pub const PAGE_NAME: &str = "README.htm";

/// An article to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The number of the update.
    id: String,
    title: String,
    blocks: Vec<Block>,
}

/// A part of an article.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Block {
    /// The heading of a section, in capitals.
    Section(&'static str),
    /// A heading within one.
    Title(String),
    Paragraph(String),
    /// A command, or anything else that is typed as it stands.
    Code(String),
    Items(Vec<String>),
    /// Numbered steps, each perhaps with a list.
    Steps(Vec<(String, Vec<String>)>),
    Files(Vec<FileRow>),
}

/// A row of the file table, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
struct FileRow {
    date: String,
    time: String,
    version: String,
    size: String,
    name: String,
    platform: String,
}

/// The headings of the file table.
const COLUMNS: [&str; 6] = ["Date", "Time", "Version", "Size", "File name", "Platform"];

impl FileRow {
    fn of(file: &FileEntry) -> Self {
        let (date, time) = file.time_stamp.map(day_and_minute).unwrap_or_default();
        Self {
            date,
            time,
            version: file.version.map(|version| version.to_string()).unwrap_or_default(),
            size: grouped(file.size),
            name: file.name.to_string(),
            platform: file.platform.to_string(),
        }
    }

    fn cells(&self) -> [&str; 6] {
        [&self.date, &self.time, &self.version, &self.size, &self.name, &self.platform]
    }
}

impl Page {
    /// Makes the article of a manifest; of its members only those are looked at that its files name.
    pub fn of(manifest: &Manifest, prose: &Prose) -> Self {
        let mut page =
            Self { id: manifest.id.to_string(), title: clean(&manifest.title), blocks: Vec::new() };
        page.applies_to(manifest);
        page.words("SYMPTOMS", prose.symptoms.as_deref());
        page.words("CAUSE", prose.cause.as_deref());
        page.resolution(manifest);
        page.blocks.push(Block::Section("MORE INFORMATION"));
        for paragraph in paragraphs(prose.text.as_deref()) {
            page.paragraph(paragraph);
        }
        page.by_the_patcher(manifest);
        for role in &manifest.roles {
            page.role(manifest, role);
        }
        page
    }

    /// Reads from a bundle's page the words that the recipe had added.
    pub fn prose(bytes: &[u8]) -> Result<Prose, SourceError> {
        let article = Article::read(bytes)?;
        // What follows the recipe's own words there is made of the manifest again.
        let text = article.section("MORE INFORMATION").and_then(|text| {
            let own = text.split(BY_THE_PATCHER).next().unwrap_or_default().trim();
            (!own.is_empty()).then(|| own.to_owned())
        });
        Ok(Prose { symptoms: article.section("SYMPTOMS"), cause: article.section("CAUSE"), text })
    }

    fn paragraph(&mut self, text: impl AsRef<str>) {
        self.blocks.push(Block::Paragraph(clean(text.as_ref())));
    }

    fn words(&mut self, section: &'static str, text: Option<&str>) {
        let mut paragraphs = paragraphs(text).peekable();
        if paragraphs.peek().is_none() {
            return;
        }
        self.blocks.push(Block::Section(section));
        for paragraph in paragraphs {
            self.paragraph(paragraph);
        }
    }

    fn applies_to(&mut self, manifest: &Manifest) {
        let product = clean(&manifest.product);
        let level = |build: &u16| {
            let names: Vec<&str> = manifest
                .levels
                .iter()
                .filter(|level| level.build == *build)
                .map(|level| level.name.as_str())
                .collect();
            let names = if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
            format!("{product}, build {build}{names}")
        };
        let items = match manifest.builds.as_slice() {
            [] => vec![product],
            builds => builds.iter().map(level).collect(),
        };
        self.paragraph("The information in this article applies to:");
        self.blocks.push(Block::Items(items));
    }

    fn resolution(&mut self, manifest: &Manifest) {
        self.blocks.push(Block::Section("RESOLUTION"));
        for (ids, sentence) in [
            (&manifest.requires, "These updates must be installed before"),
            (&manifest.supersedes, "It takes the place of these updates"),
        ] {
            if !ids.is_empty() {
                let ids: Vec<&str> = ids.iter().map(|id| id.as_str()).collect();
                self.paragraph(format!("{sentence}: {}.", ids.join(", ")));
            }
        }
        // What every target gets, then what each variant has.
        let variants = manifest
            .variants
            .iter()
            .map(|entry| (Some(&entry.variant), format!("The {} version of u", entry.title)));
        for (variant, lead) in [(None, "U".to_owned())].into_iter().chain(variants) {
            let files = manifest.files.iter().filter(|file| file.variant.as_ref() == variant);
            let rows: Vec<FileRow> = files.map(FileRow::of).collect();
            if rows.is_empty() {
                continue;
            }
            self.paragraph(format!(
                "{lead}pdate {}, revision {}, should have the following file attributes or later:",
                manifest.id, manifest.revision
            ));
            self.blocks.push(Block::Files(rows));
        }
        self.paragraph(
            "Dates and times are those of the files' own headers, in UTC; a file without one has none. A file of the same or a higher \
             version is left as it is.",
        );
    }

    fn by_the_patcher(&mut self, manifest: &Manifest) {
        self.blocks.push(Block::Title(BY_THE_PATCHER.to_owned()));
        self.paragraph(
            "qfe-patcher checks the signatures of the bundle, stops the services, makes a backup, replaces the files and starts the \
             services again; it undoes everything if one of these fails. First without changing anything, then in earnest:",
        );
        for role in manifest.roles.iter().filter(|role| is_updated(manifest, role)) {
            let role = role.role.as_str();
            self.blocks.push(Block::Code(format!(
                "qfe-patcher apply {}.zip --keys vendor.pub --role {role} --target DIR --dry-run",
                manifest.id
            )));
        }
    }

    /// Writes how the update is installed by hand in one role.
    fn role(&mut self, manifest: &Manifest, role: &RoleEntry) {
        let files: Vec<(&FileEntry, &InstallEntry)> =
            Platform::ALL.into_iter().flat_map(|platform| manifest.files_for(platform, &role.role)).collect();
        if files.is_empty() {
            return;
        }
        self.blocks.push(Block::Title(format!("Manual Installation: {}", clean(&role.title))));
        if !role.after.is_empty() {
            let titles: Vec<String> = role
                .after
                .iter()
                .map(|after| {
                    manifest.role(after).map_or_else(|| after.to_string(), |entry| clean(&entry.title))
                })
                .collect();
            self.paragraph(format!(
                "NOTE: Before you implement this update here, it must be installed on the {}.",
                titles.join(" or the ")
            ));
        }
        if files.iter().any(|(file, _)| file.member.is_none()) {
            self.paragraph(
                "This bundle holds differences to known old files only: by hand it cannot be installed. Use qfe-patcher.",
            );
            return;
        }
        self.blocks.push(Block::Steps(steps(manifest, role, &files)));
    }
}

/// The heading behind the recipe's own words.
const BY_THE_PATCHER: &str = "Using qfe-patcher";

/// Tells whether a role gets a file.
fn is_updated(manifest: &Manifest, role: &RoleEntry) -> bool {
    Platform::ALL.into_iter().any(|platform| manifest.files_for(platform, &role.role).next().is_some())
}

/// Returns what is done by hand in a role, in order.
fn steps(
    manifest: &Manifest,
    role: &RoleEntry,
    files: &[(&FileEntry, &InstallEntry)],
) -> Vec<(String, Vec<String>)> {
    let mut steps: Vec<(String, Vec<String>)> = Vec::new();
    let mut step = |text: String, items: Vec<String>| steps.push((clean(&text), items));
    let by_hand = |moment: Moment| {
        let steps =
            manifest.manual.iter().filter(move |step| step.when == moment && step.roles.contains(&role.role));
        steps.map(|step| step.text.clone())
    };
    step("Copy the platform folders of this bundle to a disk or network share.".to_owned(), Vec::new());
    for text in role.before.iter().cloned().chain(by_hand(Moment::Before)) {
        step(text, Vec::new());
    }
    let services: Vec<String> = role
        .services
        .iter()
        .map(|service| {
            let mut shown = service.service.clone();
            if let Some(prefix) = &service.prefix {
                shown.push_str(&format!(", or the one whose name begins with {prefix}"));
            }
            if !service.holds.is_empty() {
                let names: Vec<&str> = service.holds.iter().map(|name| name.as_str()).collect();
                shown.push_str(&format!(", if {} is replaced", names.join(" or ")));
            }
            if service.optional {
                shown.push_str(", where it is present");
            }
            clean(&shown)
        })
        .collect();
    if !services.is_empty() {
        step("Stop the following services, in this order:".to_owned(), services.clone());
    }
    let usual = usual_folder(&role.usual);
    let shown = |install: &InstallEntry| format!("{usual}\\{}", install.to.as_str().replace('/', "\\"));
    let places: BTreeSet<String> = files.iter().map(|(_, install)| shown(install)).collect();
    step(
        "Make a backup copy of the files you are about to overwrite:".to_owned(),
        places.into_iter().collect(),
    );
    let servers: BTreeSet<String> =
        files.iter().filter(|(file, _)| file.register).map(|(_, install)| shown(install)).collect();
    let servers: Vec<String> = servers.into_iter().collect();
    if !servers.is_empty() {
        step("Use Regsvr32.exe with its switch /u to unregister the old files:".to_owned(), servers.clone());
    }
    let variants = manifest
        .variants
        .iter()
        .map(|entry| (Some(&entry.variant), format!(" with the {} version", entry.title)));
    let variants: Vec<_> = [(None, String::new())].into_iter().chain(variants).collect();
    for (platform, (variant, having)) in
        Platform::ALL.into_iter().flat_map(|platform| variants.iter().map(move |variant| (platform, variant)))
    {
        let own: Vec<&(&FileEntry, &InstallEntry)> = files
            .iter()
            .filter(|(file, _)| file.platform == platform && file.variant.as_ref() == *variant)
            .collect();
        let copies: Vec<String> = own
            .iter()
            .map(|(file, install)| {
                let member = file.member.as_ref().map_or(file.name.as_str(), |member| member.as_str());
                format!("{} to {}", member.replace('/', "\\"), shown(install))
            })
            .collect();
        if !copies.is_empty() {
            let replaces = own.iter().all(|(_, install)| install.verb == Verb::ReplaceFile);
            let only = if replaces { ", each only where there is one already" } else { "" };
            step(format!("On a computer of platform {platform}{having}, copy the files{only}:"), copies);
        }
    }
    if !servers.is_empty() {
        step("Use Regsvr32.exe to register the new files:".to_owned(), servers);
    }
    if !services.is_empty() {
        step(
            "Restart those services that were running, in this order:".to_owned(),
            services.into_iter().rev().collect(),
        );
    }
    for text in by_hand(Moment::After) {
        step(text, Vec::new());
    }
    steps
}

/// Returns how paths below a role's folder begin: profiles name it by a path, or by words.
fn usual_folder(usual: &str) -> String {
    let usual = clean(usual);
    match usual.contains(['\\', ':']) {
        true => usual,
        false => format!("<{}>", usual.strip_prefix("the ").unwrap_or(&usual)),
    }
}

/// Returns the paragraphs of a text: what has an empty line between.
fn paragraphs(text: Option<&str>) -> impl Iterator<Item = String> {
    let text = text.unwrap_or_default().replace("\r\n", "\n");
    let paragraphs: Vec<String> = text
        .split("\n\n")
        .map(|part| clean(part).split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|part| !part.is_empty())
        .collect();
    paragraphs.into_iter()
}

/// Returns a text without what no page can show.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Writes a number with its thousands apart.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Returns day and time of a time stamp, as articles write them: `28-Jan-2000`, `10:49`.
fn day_and_minute(stamp: u32) -> (String, String) {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let Ok(at) = time::OffsetDateTime::from_unix_timestamp(i64::from(stamp)) else {
        return Default::default();
    };
    let month = MONTHS.get(usize::from(u8::from(at.month())) - 1).copied().unwrap_or_default();
    (format!("{:02}-{month}-{:04}", at.day(), at.year()), format!("{:02}:{:02}", at.hour(), at.minute()))
}

#[cfg(test)]
mod tests;
