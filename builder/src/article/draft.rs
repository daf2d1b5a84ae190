//! A recipe from an article.
//!
//! What the article tells becomes keys; what it leaves open becomes comments that begin with `# ?`, so that nobody takes a
//! default for knowledge. The text is a recipe that `build` reads.

mod file;
mod product;
#[cfg(test)]
mod tests;
mod toml;
mod updates;

use std::collections::BTreeSet;

use qfe_patcher::name::UpdateId;
use qfe_patcher::platform::Platform;

use super::Article;
use super::instructions::{Instructions, base, instructions};
use super::row::Row;
use super::table::Table;
use super::variants::{TableVariant, variants};
use crate::profile::Profile;
use crate::recipe::{MAX_STEP, MAX_TITLE};
pub(super) use product::service_packs;
use product::{build, products};
pub(super) use toml::wrapped;
use toml::{quoted, quoted_lines};

impl Article {
    /// Writes the recipe of the files of one table, counted from 0.
    pub fn recipe(&self, profile: &Profile, table: usize) -> String {
        Draft::new(self, profile, table).write()
    }
}

/// What is known about one file of the recipe.
#[derive(Default)]
struct DraftFile<'a> {
    name: String,
    rows: Vec<(&'a Row, Vec<Platform>)>,
}

struct Draft<'a> {
    article: &'a Article,
    profile: &'a Profile,
    table: Option<&'a Table>,
    chosen: usize,
    instructions: Instructions,
    /// The tables that are this fix in several languages or for several service packs, the chosen one first.
    variants: Vec<TableVariant>,
    product: Option<String>,
    /// The names that entries have, in lower case, on each platform.
    claimed: BTreeSet<(String, Platform)>,
    text: String,
}

impl<'a> Draft<'a> {
    fn new(article: &'a Article, profile: &'a Profile, chosen: usize) -> Self {
        let table = article.tables.get(chosen);
        let names: Vec<String> =
            table.into_iter().flat_map(|table| &table.rows).map(|row| row.file.clone()).collect();
        Self {
            article,
            profile,
            table,
            chosen,
            instructions: instructions(&article.paragraphs, &names),
            variants: variants(&article.tables, chosen),
            product: None,
            claimed: BTreeSet::new(),
            text: String::new(),
        }
    }

    /// Writes a line, or several, without what TOML allows nowhere.
    fn line(&mut self, line: impl AsRef<str>) {
        let is_bad = |c: char| c.is_control() && c != '\n';
        self.text.extend(line.as_ref().chars().map(|c| if is_bad(c) { ' ' } else { c }));
        self.text.push('\n');
    }

    /// Writes what a person has to find out.
    fn ask(&mut self, what: impl AsRef<str>) {
        for (at, part) in wrapped(what.as_ref(), 112).iter().enumerate() {
            self.line(format!("# {} {part}", if at == 0 { "?" } else { " " }));
        }
    }

    fn note(&mut self, what: impl AsRef<str>) {
        for part in wrapped(what.as_ref(), 114) {
            self.line(format!("# {part}"));
        }
    }

    fn write(mut self) -> String {
        let shown = self.article.id.clone().unwrap_or_else(|| "an article without a number".to_owned());
        self.note(format!(
            "Drafted from {shown}. What it does not tell is marked by `# ?`: settle that, and hold the rest against the article."
        ));
        self.head();
        let files = self.files();
        self.payload(&files);
        self.prose();
        for file in &files {
            self.file(file);
        }
        self.steps();
        self.other_tables();
        self.text
    }

    fn head(&mut self) {
        match self.article.id.as_deref().and_then(|id| id.parse::<UpdateId>().ok()) {
            Some(id) => self.line(format!("id = {}", quoted(id.as_str()))),
            None => {
                self.ask("The article's number was not found.");
                self.line("id = \"UNKNOWN\"");
            }
        }
        let title: String = self
            .article
            .title
            .clone()
            .unwrap_or_default()
            .chars()
            .filter(|c| !c.is_control())
            .take(MAX_TITLE)
            .collect();
        if title.trim().is_empty() {
            self.ask("The article's title was not found.");
            self.line("title = \"unknown\"");
        } else {
            self.line(format!("title = {}", quoted(title.trim())));
        }
        self.line("revision = 1");
        self.product();
        self.builds();
        let supersedes = self.article.listed_behind(&[
            "supersede",
            "superceed",
            "supercede",
            "also fixes all",
            "corrected problems included",
            "replaces the hotfix",
            "replaces the fix",
        ]);
        let requires: Vec<String> = self.article.required();
        for (key, ids) in [("requires", &requires), ("supersedes", &supersedes)] {
            if !ids.is_empty() {
                let ids: Vec<String> = ids.iter().map(|id| quoted(id)).collect();
                self.line(format!("{key} = [{}]", ids.join(", ")));
            }
        }
        let companions = self.article.listed_behind(&["accompanying fix"]);
        if !companions.is_empty() {
            self.note(format!(
                "The article names a companion that is to be installed as well: {}.",
                companions.join(", ")
            ));
        }
    }

    fn product(&mut self) {
        let ours = self.profile.product.clone();
        let named: Vec<String> =
            self.article.applies_to.iter().flat_map(|product| products(product)).collect();
        let product = named.iter().find(|product| **product == ours).or(named.first()).cloned();
        match &product {
            None => self.ask(format!("The article names no product; this is the profile's, {ours}.")),
            Some(product) if *product != ours => self.ask(format!(
                "The built-in profile is for {ours}: write one for this product, with its folders and services, and name it: profile = \"...\"."
            )),
            Some(_) => {}
        }
        self.line(format!("product = {}", quoted(product.as_ref().unwrap_or(&ours))));
        self.product = product;
    }

    /// Tells whether the profile is for the article's product.
    fn is_ours(&self) -> bool {
        self.product.as_ref().is_none_or(|product| *product == self.profile.product)
    }

    fn builds(&mut self) {
        let levels: Vec<(u16, String)> =
            self.profile.levels.iter().map(|level| (level.build, level.name.clone())).collect();
        let is_build = |build: u16| levels.iter().any(|(known, _)| *known == build);
        let rows = self.tables().flat_map(|table| &table.rows);
        let mut builds: BTreeSet<u16> = rows.filter_map(build).filter(|build| is_build(*build)).collect();
        let mut from = "the versions of the files";
        if builds.is_empty() && self.is_ours() {
            let headings = self.tables().filter_map(|table| table.heading.as_deref());
            let packs: BTreeSet<String> = headings.flat_map(service_packs).collect();
            let packs =
                if packs.is_empty() { service_packs(&self.article.applies_to.join(", ")) } else { packs };
            builds =
                levels.iter().filter(|(_, name)| packs.contains(name)).map(|(build, _)| *build).collect();
            from = "the service packs that it names";
        }
        if builds.is_empty() || !self.is_ours() {
            if self.is_ours() {
                self.ask("Which build lines it is for cannot be told: an empty list means any.");
            }
            self.line("builds = []");
            return;
        }
        let shown: Vec<String> = builds.iter().map(u16::to_string).collect();
        self.line(format!("builds = [{}]{}", shown.join(", "), format_args!("  # by {from}")));
    }

    /// Returns the tables that the recipe is made of, the chosen one first.
    fn tables(&self) -> impl Iterator<Item = &'a Table> + use<'a> {
        let others = self.other_variants().into_iter();
        let tables = &self.article.tables;
        self.table.into_iter().chain(others.filter_map(|variant| tables.get(variant.table)))
    }

    /// Returns the variants of the other tables.
    fn other_variants(&self) -> Vec<TableVariant> {
        self.variants.iter().skip(1).cloned().collect()
    }

    /// Puts the rows of each file together.
    fn files(&mut self) -> Vec<DraftFile<'a>> {
        let mut files: Vec<DraftFile<'a>> = Vec::new();
        let Some(table) = self.table else {
            self.ask("The article has no file table.");
            return files;
        };
        for row in &table.rows {
            let platforms = table.platforms(row);
            if platforms.is_empty() {
                let platform = row.platform.as_deref().unwrap_or("another platform");
                self.ask(format!(
                    "{} is for {platform}, which bundles are not made for: it is left out.",
                    row.file
                ));
                continue;
            }
            let name = base(&row.file).to_owned();
            if self.is_installer(&name) {
                self.note(format!(
                    "{name} is the installer that the bundle takes the place of: it is left out."
                ));
                continue;
            }
            match files.iter_mut().find(|file| file.name.eq_ignore_ascii_case(&name)) {
                Some(file) => file.rows.push((row, platforms)),
                None => files.push(DraftFile { name, rows: vec![(row, platforms)] }),
            }
        }
        files
    }

    /// Tells whether a file is the installer of the article itself: a program that has its number in its name.
    fn is_installer(&self, name: &str) -> bool {
        let number =
            self.article.id.as_deref().map(|id| id.trim_start_matches(|c: char| !c.is_ascii_digit()));
        number.is_some_and(|number| name.to_ascii_lowercase().ends_with(".exe") && name.contains(number))
    }

    fn payload(&mut self, files: &[DraftFile<'_>]) {
        let platforms: BTreeSet<Platform> =
            files.iter().flat_map(|file| &file.rows).flat_map(|(_, platforms)| platforms.clone()).collect();
        for variant in self.variants.clone() {
            self.variant(&variant, &platforms);
        }
        if self.variants.is_empty() {
            self.line("\n[payload]");
            if platforms.is_empty() {
                self.ask("Where the new files are.");
            }
            for platform in &platforms {
                self.line(format!("{platform} = \"update/{platform}\""));
            }
            self.line("");
            self.baselines("baseline", "baseline", &platforms);
        }
    }

    /// Asks for old files, below a folder.
    fn baselines(&mut self, key: &str, folder: &str, platforms: &BTreeSet<Platform>) {
        self.ask("Known old states, each of which gets deltas:");
        self.line(format!("# [[{key}]]"));
        self.line("# name = \"...\"");
        for platform in platforms {
            self.line(format!("# {platform} = \"{folder}/{platform}\""));
        }
    }

    /// Writes the form in which the files come by one of the article's tables.
    fn variant(&mut self, variant: &TableVariant, platforms: &BTreeSet<Platform>) {
        let article = self.article;
        self.line("\n[[variant]]");
        if let Some(table) = article.tables.get(variant.table) {
            self.note(format!("line {}: {}", table.line, table.heading.clone().unwrap_or_default()));
            if variant.table != self.chosen {
                self.rows(table);
            }
        }
        self.line(format!("name = {}", quoted(&variant.name)));
        self.line(format!("title = {}", quoted(&variant.title)));
        match variant.language {
            Some(language) => self.line(format!("languages = [{language:#06x}]")),
            None => self.ask(
                "The language ids of its files, languages = [...], if no other variant's have them. Without any a target is known by \
                 its known old files, or the admin names the variant.",
            ),
        }
        let places: Vec<String> = platforms
            .iter()
            .map(|platform| format!("{platform} = \"{}/{platform}\"", variant.name))
            .collect();
        self.line(format!("payload = {{ {} }}", places.join(", ")));
        self.baselines("variant.baseline", &format!("{}/baseline", variant.name), platforms);
    }

    /// Writes the rows of a table as comments.
    fn rows(&mut self, table: &Table) {
        for row in &table.rows {
            let mut shown = row.file.clone();
            for value in [&row.version, &row.size, &row.platform, &row.date, &row.time].into_iter().flatten()
            {
                shown.push_str(", ");
                shown.push_str(value);
            }
            self.line(format!("#     {shown}"));
        }
    }

    /// Writes what the bundle's own article is to say.
    fn prose(&mut self) {
        let sections = [("symptoms", "SYMPTOMS"), ("cause", "CAUSE")];
        let texts: Vec<(&str, String)> =
            sections.iter().filter_map(|(key, name)| Some((*key, self.article.section(name)?))).collect();
        if texts.is_empty() {
            return;
        }
        self.line("\n[article]");
        for (key, text) in texts {
            self.line(format!("{key} = {}", quoted_lines(&text)));
        }
    }

    fn steps(&mut self) {
        let services: BTreeSet<String> = self
            .profile
            .roles
            .iter()
            .flat_map(|role| &role.entry.services)
            .flat_map(|service| [Some(service.service.clone()), service.prefix.clone()])
            .flatten()
            .map(|name| name.trim_end_matches('_').to_ascii_uppercase())
            .collect();
        let is_known = |name: &str| {
            let name = name.to_ascii_uppercase();
            name.starts_with("ALL ")
                || services.iter().any(|known| name == *known || name.starts_with(&format!("{known}_")))
        };
        let stopped: Vec<String> = self.instructions.services.iter().cloned().collect();
        if !stopped.is_empty() {
            self.line("");
            self.note(format!(
                "The article stops: {}. What is stopped stands in the profile.",
                stopped.join(", ")
            ));
        }
        for name in stopped.iter().filter(|name| !is_known(name)) {
            self.step(
                "before",
                &format!("Stop the service {name} if it runs; start it again when the update is in."),
            );
        }
        for step in self.instructions.by_hand.clone() {
            self.line("");
            self.note(format!("line {}", step.line));
            self.step(if step.is_before { "before" } else { "after" }, &step.text);
        }
    }

    fn step(&mut self, when: &str, text: &str) {
        let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let mut text: String = clean.chars().take(MAX_STEP).collect();
        if text.len() < clean.len() {
            self.ask(format!("The step is longer than the {MAX_STEP} characters that one may have."));
            let end = text.rfind(". ").map_or(text.len(), |at| at + 1);
            text.truncate(end);
        }
        self.line("[[step]]");
        self.line(format!("when = \"{when}\""));
        self.line(format!("text = {}", quoted(text.trim())));
        self.line("roles = [\"site-server\"]");
    }

    /// Writes the tables that this recipe is not made of, as comments.
    fn other_tables(&mut self) {
        let article = self.article;
        for (at, table) in article.tables.iter().enumerate() {
            if at == self.chosen || self.variants.iter().any(|variant| variant.table == at) {
                continue;
            }
            self.line("");
            let heading = table.heading.clone().unwrap_or_else(|| "without a heading".to_owned());
            self.ask(format!(
                "Table {} (line {}) is not in this recipe; `--table {}` drafts it: {heading}",
                at + 1,
                table.line,
                at + 1
            ));
            self.rows(table);
        }
    }
}
