//! A recipe from an article.
//!
//! What the article tells becomes keys; what it leaves open becomes comments that begin with `# ?`, so that nobody takes a
//! default for knowledge. The text is a recipe that `build` reads.

use std::collections::{BTreeMap, BTreeSet};

use qfe_patcher::name::UpdateId;
use qfe_patcher::platform::Platform;
use qfe_patcher::target_path::TargetPath;
use qfe_patcher::version::FileVersion;

use super::Article;
use super::instructions::{Folder, Instructions, Placing, base, instructions};
use super::prose::numbers;
use super::row::Row;
use super::table::{Table, platform_of_heading};
use super::variants::{TableVariant, variants};
use crate::profile::Profile;
use crate::recipe::{MAX_STEP, MAX_TITLE};

/// Most updates that it is taken to require or supersede.
const MAX_UPDATES: usize = 500;

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
    /// The tables that are this fix in several languages, the chosen one first.
    variants: Vec<TableVariant>,
    product: Option<String>,
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
        let supersedes = self.listed_behind(&[
            "supersede",
            "superceed",
            "supercede",
            "also fixes all",
            "corrected problems included",
            "replaces the hotfix",
            "replaces the fix",
        ]);
        let requires: Vec<String> = self.required();
        for (key, ids) in [("requires", &requires), ("supersedes", &supersedes)] {
            if !ids.is_empty() {
                let ids: Vec<String> = ids.iter().map(|id| quoted(id)).collect();
                self.line(format!("{key} = [{}]", ids.join(", ")));
            }
        }
        let companions = self.listed_behind(&["accompanying fix"]);
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
        let rows = self.table.map(|table| table.rows.as_slice()).unwrap_or_default();
        let mut builds: BTreeSet<u16> =
            rows.iter().filter_map(build).filter(|build| is_build(*build)).collect();
        let mut from = "the versions of the files";
        if builds.is_empty() && self.is_ours() {
            let heading = self.table.and_then(|table| table.heading.clone()).unwrap_or_default();
            let packs = service_packs(&heading);
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

    /// Returns the numbers of the list that follows a sentence with one of the cues.
    fn listed_behind(&self, cues: &[&str]) -> Vec<String> {
        let mut found = Vec::new();
        let mut wait = 0;
        let mut in_list = false;
        for paragraph in &self.article.paragraphs {
            let lower = paragraph.text.to_lowercase();
            let is_list = paragraph.text.split_whitespace().next().is_some_and(|word| {
                numbers(word).first().is_some_and(|number| word.trim_end_matches(':') == number)
            });
            if wait > 0 && is_list {
                found.extend(numbers(&paragraph.text));
                in_list = true;
            } else if in_list {
                // The list is over; what comes behind it is about something else.
                (wait, in_list) = (0, false);
            } else {
                wait = usize::saturating_sub(wait, 1);
            }
            if cues.iter().any(|cue| lower.contains(cue)) && !in_list {
                let announces = lower.ends_with(':') || lower.contains("following");
                wait = if announces { 5 } else { 0 };
                if !announces {
                    found.extend(superseded_by_sentence(&paragraph.text));
                }
            }
        }
        self.others(found)
    }

    /// Returns the updates that must be there before, by the sentences that say so.
    fn required(&self) -> Vec<String> {
        let mut found = Vec::new();
        for sentence in self.article.paragraphs.iter().flat_map(|paragraph| paragraph.text.split(". ")) {
            let lower = sentence.to_lowercase();
            let before = [
                "before you install this",
                "before you apply this",
                "before installing this",
                "before applying this",
            ]
            .iter()
            .any(|cue| lower.contains(cue));
            let must = lower.contains("must") && ["install", "apply"].iter().any(|word| lower.contains(word));
            if (before && must) || lower.contains("prerequisite") || lower.contains("you must first install")
            {
                found.extend(numbers(sentence));
            }
        }
        self.others(found)
    }

    /// Keeps each number once, and not the article's own.
    fn others(&self, numbers: Vec<String>) -> Vec<String> {
        let mut kept: Vec<String> = Vec::new();
        for number in numbers {
            let is_new = Some(&number) != self.article.id.as_ref() && !kept.contains(&number);
            if is_new && kept.len() < MAX_UPDATES {
                kept.push(number);
            }
        }
        kept
    }

    /// Puts the rows of each file together.
    fn files(&mut self) -> Vec<DraftFile<'a>> {
        let mut files: Vec<DraftFile<'a>> = Vec::new();
        let Some(table) = self.table else {
            self.ask("The article has no file table.");
            return files;
        };
        let of_heading = table.heading.as_deref().and_then(platform_of_heading).map(str::to_owned);
        for row in &table.rows {
            let printed = row.platform.clone().or_else(|| of_heading.clone());
            let platforms = printed.as_deref().map(platforms);
            if platforms.as_ref().is_some_and(Vec::is_empty) {
                let (file, platform) = (&row.file, printed.unwrap_or_default());
                self.ask(format!(
                    "{file} is for {platform}, which bundles are not made for: it is left out."
                ));
                continue;
            }
            let platforms = platforms.unwrap_or_else(|| Platform::ALL.to_vec());
            let name = base(&row.file).to_owned();
            match files.iter_mut().find(|file| file.name.eq_ignore_ascii_case(&name)) {
                Some(file) => file.rows.push((row, platforms)),
                None => files.push(DraftFile { name, rows: vec![(row, platforms)] }),
            }
        }
        files
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
        }
        self.line("");
        self.ask("Known old states, each of which gets deltas:");
        self.line("# [[baseline]]");
        self.line("# name = \"...\"");
        for platform in &platforms {
            self.line(format!("# {platform} = \"baseline/{platform}\""));
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
            None => self.ask("The language ids of its files: the patcher knows a target's by them."),
        }
        let places: Vec<String> = platforms
            .iter()
            .map(|platform| format!("{platform} = \"{}/{platform}\"", variant.name))
            .collect();
        self.line(format!("payload = {{ {} }}", places.join(", ")));
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

    fn file(&mut self, file: &DraftFile<'_>) {
        let lower = file.name.to_lowercase();
        let variants: Vec<(Vec<Platform>, Vec<String>)> = {
            let of = |platform: Platform| self.places(&lower, platform);
            let [i386, alpha] = Platform::ALL.map(of);
            let own: BTreeSet<Platform> =
                file.rows.iter().flat_map(|(_, platforms)| platforms.clone()).collect();
            let own: Vec<Platform> = own.into_iter().collect();
            match own.as_slice() {
                [platform] => vec![(vec![*platform], of(*platform))],
                _ if i386 == alpha => vec![(own, i386)],
                _ => vec![(vec![Platform::I386], i386), (vec![Platform::Alpha], alpha)],
            }
        };
        let is_split = variants.len() > 1;
        for (platforms, folders) in variants {
            self.entry(file, &lower, &platforms, folders, is_split);
        }
    }

    /// Writes one `[[file]]`.
    fn entry(
        &mut self,
        file: &DraftFile<'_>,
        lower: &str,
        platforms: &[Platform],
        folders: Vec<String>,
        is_split: bool,
    ) {
        let rows: Vec<&(&Row, Vec<Platform>)> = file
            .rows
            .iter()
            .filter(|(_, of)| of.iter().any(|platform| platforms.contains(platform)))
            .collect();
        let renamed = self.placings(lower).into_iter().find_map(|(_, placing)| placing.renamed.clone());
        let mut name = file.name.clone();
        let mut folders = folders;
        if let (Some(renamed), Some(folder)) = (&renamed, folders.first().cloned()) {
            let (parent, last) = folder.rsplit_once('/').unwrap_or((".", &folder));
            name = format!("{last}/{renamed}");
            folders = vec![parent.to_owned()];
        }
        self.line("");
        if name.parse::<TargetPath>().is_err() {
            self.ask(format!("{name:?} can be no name of a file in a bundle: it is left out."));
            return;
        }
        self.line("[[file]]");
        for (row, _) in &rows {
            let shown = [&row.date, &row.time, &row.version, &row.size, &row.platform];
            let shown: Vec<&str> = shown.into_iter().flatten().map(String::as_str).collect();
            self.note(format!("line {}: {}", row.line, shown.join(", ")));
        }
        if let Some(renamed) = renamed {
            self.note(format!(
                "It goes in as {renamed}: put {} into the payload under the name below.",
                file.name
            ));
        }
        self.line(format!("name = {}", quoted(&name)));
        self.version(&rows, platforms);
        if platforms.len() == 1 || is_split {
            let names: Vec<String> = platforms.iter().map(|platform| quoted(&platform.to_string())).collect();
            self.line(format!("platforms = [{}]", names.join(", ")));
        }
        self.roles(lower);
        match folders.as_slice() {
            [] => {}
            [folder] if folder == "Bin/{platform}" => {}
            [folder] => self.line(format!("to = {}", quoted(folder))),
            folders => {
                let folders: Vec<String> = folders.iter().map(|folder| quoted(folder)).collect();
                self.line(format!("to = [{}]", folders.join(", ")));
            }
        }
        for unclear in self.unclear(lower) {
            self.ask(format!("The article sends it to {unclear}, which it does not name."));
        }
        if self.instructions.registered.contains(lower) {
            self.line("register = true");
        }
    }

    fn version(&mut self, rows: &[&(&Row, Vec<Platform>)], platforms: &[Platform]) {
        let mut versions: BTreeMap<Platform, BTreeSet<FileVersion>> = BTreeMap::new();
        let mut unread: BTreeSet<String> = BTreeSet::new();
        for (row, of) in rows {
            match row.version.as_ref().map(|version| version.parse::<FileVersion>().map_err(|_| version)) {
                None => {}
                Some(Err(version)) => {
                    unread.insert(version.clone());
                }
                Some(Ok(version)) => {
                    for platform in of.iter().filter(|platform| platforms.contains(platform)) {
                        versions.entry(*platform).or_default().insert(version);
                    }
                }
            }
        }
        for version in unread {
            self.ask(format!("The article prints {version:?}, which is no whole version."));
        }
        if versions.values().any(|all| all.len() > 1) {
            let all: BTreeSet<String> = versions.values().flatten().map(ToString::to_string).collect();
            let all: Vec<String> = all.into_iter().collect();
            self.ask(format!("The article prints several versions for one platform: {}.", all.join(", ")));
            return;
        }
        let each: Vec<(Platform, FileVersion)> = versions
            .iter()
            .filter_map(|(platform, all)| all.first().map(|version| (*platform, *version)))
            .collect();
        match each.as_slice() {
            [] => {}
            [(_, first), rest @ ..]
                if rest.iter().all(|(_, other)| other == first) && each.len() == platforms.len() =>
            {
                self.line(format!("version = \"{first}\""));
            }
            each => {
                let each: Vec<String> =
                    each.iter().map(|(platform, version)| format!("{platform} = \"{version}\"")).collect();
                self.line(format!("version = {{ {} }}", each.join(", ")));
            }
        }
    }

    /// Returns the places of a file, each with its role.
    fn placings(&self, lower: &str) -> Vec<(&'static str, &Placing)> {
        let all = self
            .instructions
            .roles
            .iter()
            .flat_map(|(role, places)| places.iter().map(|place| (*role, place)));
        all.filter(|(_, place)| place.files.is_empty() || place.files.iter().any(|file| file == lower))
            .collect()
    }

    /// Returns the folders of a file on a platform that a recipe can name.
    fn places(&self, lower: &str, platform: Platform) -> Vec<String> {
        let mut folders: Vec<String> = Vec::new();
        for (_, placing) in self.placings(lower) {
            let Some(Folder::Known(folder)) = &placing.to else { continue };
            let is_here = platform_of_folder(folder).is_none_or(|of| of == platform);
            if is_here && !folders.iter().any(|other| other.eq_ignore_ascii_case(folder)) {
                folders.push(folder.clone());
            }
        }
        folders
    }

    fn unclear(&self, lower: &str) -> BTreeSet<String> {
        let placings = self.placings(lower).into_iter();
        placings
            .filter_map(|(_, placing)| match &placing.to {
                Some(Folder::Unclear(folder)) => Some(folder.clone()),
                Some(Folder::Known(_)) | None => None,
            })
            .collect()
    }

    fn roles(&mut self, lower: &str) {
        let given: BTreeSet<&str> = self.placings(lower).iter().map(|(role, _)| *role).collect();
        let known: Vec<String> = self.profile.role_names().map(|role| role.as_str().to_owned()).collect();
        let roles: Vec<String> =
            known.iter().filter(|role| given.contains(role.as_str())).map(|role| quoted(role)).collect();
        if self.instructions.roles.is_empty() {
            self.ask(
                "The article does not say where it goes: as it stands, every role gets it in its own folder.",
            );
        } else if given.is_empty() {
            self.ask("No step of the article copies it: as it stands, the site server gets it in Bin.");
            self.line("roles = [\"site-server\"]");
        } else if roles.len() < known.len() && !roles.is_empty() {
            self.line(format!("roles = [{}]", roles.join(", ")));
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

/// Returns the updates that sentences such as `This fix supersedes Q123456` name.
fn superseded_by_sentence(text: &str) -> Vec<String> {
    let of_sentence = |sentence: &str| {
        let lower = sentence.to_lowercase();
        let at = ["supersedes", "replaces the"].iter().find_map(|word| Some(lower.find(word)? + word.len()));
        at.and_then(|at| lower.get(at..)).map(numbers).unwrap_or_default()
    };
    text.split(". ").flat_map(of_sentence).collect()
}

/// Returns the platforms of bundles that a printed one is.
fn platforms(printed: &str) -> Vec<Platform> {
    let lower = printed.to_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric()).collect();
    let has = |names: &[&str]| words.iter().any(|word| names.contains(word));
    let mut found = Vec::new();
    let is_everything = has(&["all", "any", "both", "neutral"]);
    if is_everything
        || has(&[
            "intel", "x86", "i386", "i486", "i586", "386", "486", "ia32", "windows", "win95", "win98", "nt",
            "dos", "nec98", "pc98",
        ])
    {
        found.push(Platform::I386);
    }
    if is_everything || has(&["alpha", "axp"]) {
        found.push(Platform::Alpha);
    }
    // `Windows NT Alpha` is not for Intel.
    if found.len() > 1 && !is_everything && !has(&["intel", "x86", "i386", "and", "386"]) {
        found.retain(|platform| *platform == Platform::Alpha);
    }
    found
}

/// Returns the platform that a folder of an article is for, if its name says so.
fn platform_of_folder(folder: &str) -> Option<Platform> {
    folder.split('/').find_map(|part| match part.to_lowercase().split('.').next().unwrap_or_default() {
        "x86" | "i386" | "intel" => Some(Platform::I386),
        "alpha" => Some(Platform::Alpha),
        _ => None,
    })
}

/// Returns the products that one line names: `Microsoft X version 2.0 SP1` is `X 2.0`.
fn products(line: &str) -> Vec<String> {
    let line = line.trim().trim_start_matches("Microsoft ").trim_end_matches(['.', ',']);
    let cut = [", versions ", " versions ", ", version ", " version "]
        .iter()
        .find_map(|word| line.split_once(word));
    let Some((name, versions)) = cut else { return vec![line.to_owned()] };
    let mut found = Vec::new();
    for version in versions.split(',').take(16) {
        let version = version.split_whitespace().next().unwrap_or_default();
        let product = format!("{} {version}", name.trim_end_matches(','));
        if version.starts_with(|c: char| c.is_ascii_digit()) && !found.contains(&product) {
            found.push(product);
        }
    }
    if found.is_empty() { vec![line.to_owned()] } else { found }
}

/// Returns the service packs that a text names, as a profile does: `SP1`; a version without one is `SP0`.
fn service_packs(text: &str) -> BTreeSet<String> {
    let spelled = text.replace("Service Pack ", "SP").replace("service pack ", "SP");
    let mut found: BTreeSet<String> = spelled
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| {
            let digits = word.strip_prefix("SP").unwrap_or_default();
            !digits.is_empty() && digits.len() <= 2 && digits.bytes().all(|byte| byte.is_ascii_digit())
        })
        .map(str::to_owned)
        .collect();
    if found.is_empty() && (text.ends_with(" 2.0") || text.contains(" 2.0,")) {
        found.insert("SP0".to_owned());
    }
    found
}

/// Returns the build that a row's version is of, if it can be one.
fn build(row: &Row) -> Option<u16> {
    let version = row.version.as_ref()?;
    match version.parse::<FileVersion>() {
        Ok(version) => Some(version.build()),
        Err(_) => {
            let mut parts = version.split('.');
            let first = parts.next()?;
            parts.next()?;
            if parts.next().is_none() { first.parse().ok() } else { None }
        }
    }
}

/// Writes a text of one line as TOML does.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\t' => quoted.push_str("\\t"),
            '\n' => quoted.push_str("\\n"),
            c if c.is_control() => quoted.push(' '),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Writes a text of several lines as TOML does.
fn quoted_lines(text: &str) -> String {
    let lines: Vec<String> = text
        .split('\n')
        .map(|paragraph| {
            let inner = quoted(paragraph);
            let inner = inner.get(1..inner.len() - 1).unwrap_or_default().to_owned();
            // A backslash ends a line that the text does not end.
            wrapped(&inner, 110).join(" \\\n")
        })
        .collect();
    format!("\"\"\"\n{}\"\"\"", lines.join("\n"))
}

/// Breaks a text into lines of so many characters at its blanks.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let Some(last) = lines.last_mut() else { break };
        if !last.is_empty() && last.chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            if !last.is_empty() {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::recipe::Recipe;

    const HEAD: &str = "DOCUMENT:Q123456  x\nTITLE   :SMS: \"A\" \\ Title\n\nThe information in this article applies to:\n\n - Microsoft Systems \
                        Management Server versions 2.0 SP2, 2.0 SP3 \n---\n\nSYMPTOMS\n========\n\nIt \"fails\" in C:\\Sms.\n\nTwice.\n\nRESOLUTION\n==========\n\n";

    /// Drafts a recipe of an article with this head, and reads it.
    fn draft(rest: &str, table: usize) -> (String, Recipe) {
        let article = Article::read(format!("{HEAD}{rest}").as_bytes()).unwrap();
        let text = article.recipe(&Profile::sms2().unwrap(), table);
        let recipe =
            Recipe::parse(Path::new("update.toml"), &text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        (text, recipe)
    }

    #[test]
    fn what_the_article_tells_becomes_keys() {
        let (text, recipe) = draft(
            "The SP3 version has the following files:\n\n   Date    Version        Size   File name      Platform\n   -----\n   1/2/99  \
             2.0.1493.3001  1,234  Abc.dll        Intel\n   1/2/99  2.0.1493.3002  5,678  Abc.dll        Alpha\n   1/2/99                 67     \
             Compverx.ini\n   1/2/99  1493.3001      9,876  Def.dll        Intel\n   1/2/99                 9      Ghi.mac        Macintosh\n\n\
             You must install Q123450 before you install this hotfix. This fix supersedes Q123451.\n\nThe French version has these files:\n\n   \
             Date    Size  File name\n   1/2/99  1,235  Abc.dll\n\nMORE INFORMATION\n================\n\nManual Installation\n-----\n\n1. Stop the \
             SMS_EXECUTIVE and SMS_OTHER services.\n\n2. Replace the Abc.dll file in the <Sms_root>\\Bin\\<Platform> folder.\n\n3. Replace the Abc.dll \
             file in the <Sms_root>\\Inboxes\\X folder.\n\n4. Replace the Compver.ini file in the <Sms_root>\\Inboxes\\X folder with the \
             Compverx.ini file.\n\n5. Use Regsvr32.exe to register Abc.dll.\n\n6. Run the Update.sql script.\n",
            0,
        );
        assert_eq!((recipe.id.as_str(), recipe.title.as_str()), ("Q123456", "SMS: \"A\" \\ Title"));
        assert_eq!(recipe.product, "Systems Management Server 2.0");
        assert_eq!(recipe.builds, [1493]);
        let ids = |ids: &[UpdateId]| ids.iter().map(|id| id.as_str().to_owned()).collect::<Vec<_>>();
        assert_eq!(
            (ids(&recipe.requires), ids(&recipe.supersedes)),
            (vec!["Q123450".into()], vec!["Q123451".into()])
        );
        assert_eq!(recipe.article.symptoms.as_deref(), Some("It \"fails\" in C:\\Sms.\n\nTwice."));
        let [abc, compver, def] = recipe.files.as_slice() else { panic!("{text}") };
        let version = abc.version.as_ref().unwrap();
        assert_eq!(version.on(Platform::Alpha).unwrap().to_string(), "2.0.1493.3002");
        assert_eq!(version.on(Platform::I386).unwrap().to_string(), "2.0.1493.3001");
        let places = ["Bin/{platform}", "Inboxes/X"].map(str::to_owned);
        assert_eq!((abc.to.as_deref(), abc.register), (Some(places.as_slice()), true));
        assert_eq!(
            (compver.name.as_str(), compver.to.as_deref()),
            ("X/Compver.ini", Some(["Inboxes".to_owned()].as_slice()))
        );
        assert!(compver.version.is_none() && compver.platforms.is_none());
        assert_eq!(
            (def.version.is_none(), def.platforms.as_deref()),
            (true, Some([Platform::I386].as_slice()))
        );
        let steps: Vec<&str> = recipe.steps.iter().map(|step| step.text.as_str()).collect();
        assert!(
            matches!(steps.as_slice(), [stop, "Run the Update.sql script."] if stop.contains("SMS_OTHER")),
            "{steps:?}"
        );
        for words in [
            "# ? The article prints \"1493.3001\"",
            "# ? Ghi.mac is for Macintosh",
            "# ? Table 2 (line",
            "#     Abc.dll, 1,235",
            "# ? No step of the article copies it",
            "put Compverx.ini into the payload",
        ] {
            assert!(text.contains(words), "{words}\n{text}");
        }
    }

    #[test]
    fn another_table_can_be_chosen_and_what_is_unknown_is_asked() {
        let (text, recipe) = draft(
            "English:\n\n   Date    Size   File name\n   1/2/99  1,234  Abc.dll\n\nFrench:\n\n   Date    Size   File name\n   1/2/99  1,235  Def.dll\n",
            1,
        );
        assert_eq!(
            recipe.files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(),
            ["Def.dll"],
            "{text}"
        );
        // By the service packs of its head: nothing else tells.
        assert_eq!(recipe.builds, [1493]);
        assert!(text.contains("# ? The article does not say where it goes"), "{text}");
        let (text, recipe) = draft("", 0);
        assert!(recipe.files.is_empty() && text.contains("# ? The article has no file table."), "{text}");
        let (text, _) = draft(
            "The \u{1f}\u{7f} English files:\n\n   Date    Size   File name\n   1/2/99  1,234  Abc.dll\n\nMore:\n\n   Date    Size   File \
             name\n   1/2/99  1,234  A\u{7f}.dll\n",
            0,
        );
        assert!(!text.contains('\u{7f}'), "{text}");
        let text = Article::read(b"").unwrap().recipe(&Profile::sms2().unwrap(), 0);
        assert!(Recipe::parse(Path::new("update.toml"), &text).is_ok(), "{text}");
    }

    #[test]
    fn languages_become_variants() {
        let table = |size: &str| {
            format!(
                "   Version    Size   File name   Platform\n   -----\n   2.0.1493.3001    {size}  Abc.dll     Intel\n\n"
            )
        };
        let article =
            format!("The English version:\n\n{}The ICP4 version:\n\n{}", table("1,234"), table("1,235"));
        let (text, recipe) = draft(&article, 0);
        let [english, pack] = recipe.variants.as_slice() else { panic!("{text}") };
        assert_eq!((english.name.as_str(), english.languages.as_slice()), ("english", [0x0409].as_slice()));
        assert_eq!((pack.name.as_str(), pack.languages.is_empty()), ("icp4", true));
        assert!(pack.payload.on(Platform::I386).is_some() && pack.payload.on(Platform::Alpha).is_none());
        assert!(
            !text.contains("--table") && text.contains("#     Abc.dll, 2.0.1493.3001, 1,235, Intel"),
            "{text}"
        );
    }

    #[test]
    fn products_platforms_and_service_packs_are_understood() {
        assert_eq!(
            products("Microsoft X Server versions 1.2, 1.2 SP1, 2.0 SP3 "),
            ["X Server 1.2", "X Server 2.0"]
        );
        assert_eq!(
            products("Microsoft Exchange Server, versions 4.0, 5.0"),
            ["Exchange Server 4.0", "Exchange Server 5.0"]
        );
        assert_eq!(products("Microsoft SQL Server"), ["SQL Server"]);
        assert_eq!(platforms("Intel and Alpha"), Platform::ALL);
        assert_eq!(platforms("(x86)"), [Platform::I386]);
        assert_eq!(platforms("Windows 95 OSR2"), [Platform::I386]);
        assert_eq!(platforms("Windows NT Alpha"), [Platform::Alpha]);
        assert!(platforms("Macintosh").is_empty());
        let packs = |text: &str| service_packs(text).into_iter().collect::<Vec<_>>();
        assert_eq!(packs("post-Service Pack 3 (SP3)"), ["SP3"]);
        assert_eq!(packs("Server version 2.0"), ["SP0"]);
        assert!(packs("Server version 1.2").is_empty());
    }
}
