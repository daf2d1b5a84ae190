//! The survey: every payload file inspected and held against recipe and profile.
//!
//! All refusals are reported at once: a release engineer should not have to fix a recipe one error at a time.
//! What comes out is in order, and complete: nothing later reads a payload again.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use qfe_patcher::bundle::manifest::{InstallEntry, Verb};
use qfe_patcher::digest::Digest;
use qfe_patcher::image::Image;
use qfe_patcher::name::{Role, Variant};
use qfe_patcher::plain_text;
use qfe_patcher::platform::Platform;
use qfe_patcher::target_path::TargetPath;
use qfe_patcher::version::FileVersion;

use super::refusal::{Refusal, Refusals};
use super::warning::Warning;
use crate::file_key::FileKey;
use crate::profile::Profile;
use crate::recipe::{Baseline, FileRule, MAX_STEP, MAX_TITLE, PerPlatform, Recipe, Trees, VariantRule};
use crate::shown::{self, list};
use crate::sources::Tree;

/// Everything a bundle is made of.
#[derive(Debug)]
pub struct Survey {
    /// The new files, by platform, folded name and variant.
    pub files: Vec<SurveyedFile>,
    /// What is allowed and looks wrong.
    pub warnings: Vec<Warning>,
}

/// What a recipe names, whether or not it agrees.
#[derive(Debug)]
pub struct Examined {
    /// The new files that could be read, in the order of a survey.
    pub files: Vec<SurveyedFile>,
    /// What disagrees.
    pub refusals: Vec<Refusal>,
    /// What is allowed and looks wrong.
    pub warnings: Vec<Warning>,
}

/// A new file that agrees with the recipe.
#[derive(Debug)]
pub struct SurveyedFile {
    /// Its platform.
    pub platform: Platform,
    /// The variant it is of; none: it is for all of them.
    pub variant: Option<Variant>,
    /// Its name, as the recipe spells it.
    pub name: TargetPath,
    /// The member that it becomes.
    pub member: TargetPath,
    /// Its content.
    pub bytes: Vec<u8>,
    /// Its digest.
    pub digest: Digest,
    /// Its version, if it carries one.
    pub version: Option<FileVersion>,
    /// When it was linked, if it is an image.
    pub time_stamp: Option<u32>,
    /// Whether it is a COM server.
    pub register: bool,
    /// Where it goes.
    pub install: Vec<InstallEntry>,
    /// Its known old states, in the order of the recipe.
    pub baselines: Vec<OldFile>,
}

impl SurveyedFile {
    /// Returns what the file is called in messages.
    pub fn shown(&self) -> String {
        self.key().to_string()
    }

    /// Returns which file it is.
    pub fn key(&self) -> FileKey {
        FileKey { platform: self.platform, variant: self.variant.clone(), name: self.name.clone() }
    }

    /// Tells whether a target of their platform may get both files: of two variants it has one.
    pub fn meets(&self, other: &Self) -> bool {
        self.variant == other.variant || self.variant.is_none() || other.variant.is_none()
    }
}

/// A known old state of a file.
#[derive(Debug)]
pub struct OldFile {
    /// The name of the baseline.
    pub name: String,
    /// Its content.
    pub bytes: Vec<u8>,
    /// Its digest.
    pub digest: Digest,
    /// Its version, if it carries one.
    pub version: Option<FileVersion>,
}

/// Reads and checks everything that a recipe names; paths in it are relative to `base`.
pub fn survey(recipe: &Recipe, profile: &Profile, base: &Path) -> Result<Survey, Refusals> {
    let Examined { files, refusals, warnings } = examine(recipe, profile, base);
    match Refusals::of(&recipe.id, refusals) {
        None => Ok(Survey { files, warnings }),
        Some(refusals) => Err(refusals),
    }
}

/// Does the same and gives out what could be read of an update that does not agree with itself.
pub fn examine(recipe: &Recipe, profile: &Profile, base: &Path) -> Examined {
    let mut surveyor = Surveyor { recipe, profile, base, refusals: Vec::new(), warnings: Vec::new() };
    surveyor.check_head();
    let mut parts = surveyor.open_payload();
    let rules = surveyor.rules(&parts);
    surveyor.check_listing(&parts, &rules);
    let mut files = surveyor.read_files(&mut parts, &rules);
    files.sort_by_cached_key(SurveyedFile::key);
    surveyor.check_destinations(&files);
    surveyor.read_baselines(&parts, &mut files);
    Examined { files, refusals: surveyor.refusals, warnings: surveyor.warnings }
}

/// A part of the payload: the files for every target, or those of one variant.
struct Part<'a> {
    variant: Option<&'a Variant>,
    payload: &'a PerPlatform<Trees>,
    baselines: &'a [Baseline],
    /// What could be opened, in order.
    trees: BTreeMap<Platform, Vec<Tree>>,
}

impl Part<'_> {
    /// Returns what it is called in a recipe.
    fn key(&self) -> String {
        self.variant.map_or_else(|| "[payload]".to_owned(), |variant| format!("payload of variant {variant}"))
    }

    fn trees(&self) -> impl Iterator<Item = (Platform, &Tree)> {
        self.trees.iter().flat_map(|(platform, trees)| trees.iter().map(|tree| (*platform, tree)))
    }

    fn holds(&self, platform: Platform, name: &TargetPath) -> bool {
        self.trees.get(&platform).into_iter().flatten().any(|tree| tree.contains(name))
    }
}

/// The rules for each platform, by folded name.
type Rules = BTreeMap<Platform, BTreeMap<String, FileRule>>;

struct Surveyor<'a> {
    recipe: &'a Recipe,
    profile: &'a Profile,
    base: &'a Path,
    refusals: Vec<Refusal>,
    warnings: Vec<Warning>,
}

impl<'a> Surveyor<'a> {
    /// Checks what the recipe says about the update as a whole.
    fn check_head(&mut self) {
        let Recipe { id, title, revision, product, builds, requires, supersedes, .. } = self.recipe;
        let profile = self.profile;
        let mut refuse = |key: &str, found: String, wanted| {
            self.refusals.push(Refusal::Value { key: key.to_owned(), found, wanted });
        };
        if !is_line(title, MAX_TITLE) {
            refuse("title", format!("{title:?}"), "one line of at most 200 characters");
        }
        if *revision == 0 {
            refuse("revision", "0".to_owned(), "1 or more");
        }
        if builds.iter().collect::<BTreeSet<_>>().len() != builds.len() {
            refuse("builds", format!("{builds:?}"), "each build once");
        }
        for (key, ids) in [("requires", requires), ("supersedes", supersedes)] {
            if ids.contains(id) {
                refuse(key, format!("a list that holds {id} itself"), "other updates");
            }
            if ids.iter().enumerate().any(|(at, id)| ids.iter().take(at).any(|other| other == id)) {
                refuse(key, "a list that holds an update twice".to_owned(), "each update once");
            }
        }
        for step in &self.recipe.steps {
            let text = &step.text;
            if !is_line(text, MAX_STEP) {
                refuse("text of a [[step]]", format!("{text:?}"), "one line of at most 500 characters");
            }
            let unknown =
                step.roles.iter().flatten().find(|role| !profile.role_names().any(|known| known == *role));
            if let Some(role) = unknown {
                refuse("roles of a [[step]]", role.to_string(), "roles of the profile");
            }
        }
        let mut languages = BTreeSet::new();
        for (at, variant) in self.recipe.variants.iter().enumerate() {
            if self.recipe.variants.iter().take(at).any(|other| other.name == variant.name) {
                refuse("name of a [[variant]]", format!("{} twice", variant.name), "each name once");
            }
            if let Some(language) = variant.languages.iter().find(|language| !languages.insert(**language)) {
                let found = format!("{} twice", shown::language(*language));
                refuse("languages of the [[variant]]s", found, "each language once");
            }
            let title = variant.title.as_deref().unwrap_or("-");
            if !is_line(title, MAX_TITLE) {
                let wanted = "one line of at most 200 characters";
                refuse("title of a [[variant]]", format!("{title:?}"), wanted);
            }
        }
        let variants = self.recipe.variants.iter().map(|variant| &variant.baselines);
        for baselines in variants.chain([&self.recipe.baselines]) {
            let mut names = BTreeSet::new();
            for baseline in baselines {
                if baseline.name.trim().is_empty() || !plain_text::is_line(&baseline.name) {
                    refuse("name of a [[baseline]]", format!("{:?}", baseline.name), "one line");
                }
                if !names.insert(&baseline.name) {
                    refuse("name of a [[baseline]]", format!("{:?} twice", baseline.name), "each name once");
                }
            }
        }
        if *product != self.profile.product {
            let (found, wanted) = (product.clone(), self.profile.product.clone());
            self.refusals.push(Refusal::Product { found, wanted });
        }
    }

    fn open(&mut self, path: &Path) -> Option<Tree> {
        Tree::open(&self.base.join(path)).map_err(|error| self.refusals.push(Refusal::Source(error))).ok()
    }

    fn open_payload(&mut self) -> Vec<Part<'a>> {
        let Recipe { payload, baselines, variants, .. } = self.recipe;
        let mut parts = Vec::new();
        // All files may come in variants.
        if variants.is_empty() || self.recipe.payload.is_some() || !baselines.is_empty() {
            parts.push(Part { variant: None, payload, baselines, trees: BTreeMap::new() });
        }
        for VariantRule { name, payload, baselines, .. } in variants {
            parts.push(Part { variant: Some(name), payload, baselines, trees: BTreeMap::new() });
        }
        for part in &mut parts {
            if !part.payload.is_some() {
                self.refusals.push(Refusal::NoPayload { key: part.key() });
            }
            for platform in Platform::ALL {
                for path in part.payload.on(platform).into_iter().flatten() {
                    let Some(tree) = self.open(path) else { continue };
                    let shown = || path.display().to_string();
                    self.refusals.extend(
                        tree.strays()
                            .iter()
                            .map(|reason| Refusal::Name { tree: shown(), reason: reason.clone() }),
                    );
                    if tree.names().next().is_none() {
                        self.refusals.push(Refusal::EmptyPayload { tree: shown() });
                    }
                    part.trees.entry(platform).or_default().push(tree);
                }
            }
        }
        parts
    }

    /// Tells whether the recipe names files for a platform.
    fn is_for(&self, platform: Platform) -> bool {
        let variants = self.recipe.variants.iter().map(|variant| &variant.payload);
        variants.chain([&self.recipe.payload]).any(|payload| payload.on(platform).is_some())
    }

    /// Returns the rules for each platform: the recipe's, or one for each name of the payload.
    fn rules(&mut self, parts: &[Part<'_>]) -> Rules {
        let mut rules: Vec<FileRule> = self.recipe.files.clone();
        if rules.is_empty() {
            let mut names = BTreeMap::new();
            for name in parts.iter().flat_map(|part| part.trees.values()).flatten().flat_map(Tree::names) {
                names.entry(name.folded()).or_insert(name);
            }
            rules = names.into_values().cloned().map(FileRule::of).collect();
        }
        let mut sorted = Rules::new();
        for rule in rules {
            for platform in rule.platforms.iter().flatten() {
                if !self.is_for(*platform) {
                    let (name, platform) = (rule.name.clone(), *platform);
                    self.refusals.push(Refusal::PlatformWithoutPayload { name, platform });
                }
            }
            self.check_roles(&rule.name, rule.roles.as_deref());
            self.check_versions(&rule);
            for platform in Platform::ALL.into_iter().filter(|platform| rule.is_for(*platform)) {
                if !self.is_for(platform) {
                    continue;
                }
                let of_platform = sorted.entry(platform).or_default();
                if of_platform.insert(rule.name.folded(), rule.clone()).is_some() {
                    self.refusals.push(Refusal::ListedTwice { name: rule.name.clone(), platform });
                }
            }
        }
        sorted
    }

    fn check_roles(&mut self, name: &TargetPath, roles: Option<&[Role]>) {
        let Some(roles) = roles else { return };
        for found in roles.iter().filter(|role| !self.profile.role_names().any(|known| known == *role)) {
            let known = list(self.profile.role_names(), "none");
            self.refusals.push(Refusal::UnknownRole { name: name.clone(), found: found.clone(), known });
        }
        if roles.is_empty() || roles.iter().collect::<BTreeSet<_>>().len() != roles.len() {
            self.refusals.push(Refusal::Roles { name: name.clone(), found: list(roles, "no role") });
        }
    }

    /// Refuses versions of a variant that there is not.
    fn check_versions(&mut self, rule: &FileRule) {
        let is_there = |name: &&Variant| self.recipe.variants.iter().any(|variant| variant.name == **name);
        self.refusals.extend(rule.versions.keys().find(|name| !is_there(name)).map(|name| Refusal::Value {
            key: format!("versions of {}", rule.name),
            found: name.to_string(),
            wanted: "names of [[variant]]s",
        }));
    }

    /// Holds the names of the payload against those of the rules, both ways.
    fn check_listing(&mut self, parts: &[Part<'_>], rules: &Rules) {
        let none = BTreeMap::new();
        for part in parts {
            for (platform, tree) in part.trees() {
                let rules = rules.get(&platform).unwrap_or(&none);
                for name in tree.names().filter(|name| !rules.contains_key(&name.folded())) {
                    let key = FileKey { platform, variant: part.variant.cloned(), name: name.clone() };
                    self.refusals.push(Refusal::Unlisted { file: tree.shown(name), key });
                }
            }
        }
        for (platform, rules) in rules {
            for rule in rules.values() {
                self.require_file(parts, *platform, &rule.name);
            }
        }
    }

    /// Requires that a file is in the payload for every target, or in that of each variant.
    fn require_file(&mut self, parts: &[Part<'_>], platform: Platform, name: &TargetPath) {
        let mut holders = parts.iter().filter(|part| part.holds(platform, name));
        let name = name.clone();
        match holders.next().map(|part| part.variant) {
            Some(None) => {}
            Some(Some(twin)) => {
                // One may be without a platform, but not without a file of one that it has.
                let lacking = parts.iter().filter(|part| part.payload.on(platform).is_some());
                let lacking = lacking.filter(|part| !part.holds(platform, &name));
                self.refusals.extend(lacking.filter_map(|part| part.variant).map(|variant| {
                    let (name, variant, twin) = (name.clone(), variant.clone(), twin.clone());
                    Refusal::MissingInVariant { name, platform, variant, twin }
                }));
            }
            None => {
                // What could not be opened is a refusal already.
                let opened = parts.iter().filter(|part| part.trees.contains_key(&platform));
                let Some(part) = opened.min_by_key(|part| part.variant) else { return };
                let tree = places(part.payload.on(platform).into_iter().flatten());
                let holds = |twin: &Platform| parts.iter().any(|part| part.holds(*twin, &name));
                self.refusals.push(match Platform::ALL.into_iter().find(holds) {
                    Some(twin) => Refusal::MissingTwin { name, platform, tree, twin },
                    None => Refusal::NotInPayload { name, platform, tree },
                });
            }
        }
    }

    fn read_files(&mut self, parts: &mut [Part<'_>], rules: &Rules) -> Vec<SurveyedFile> {
        let mut files = Vec::new();
        for Part { variant, trees, .. } in parts {
            for (platform, trees) in trees {
                for rule in rules.get(platform).into_iter().flat_map(BTreeMap::values) {
                    let Some(tree) = trees.iter_mut().rfind(|tree| tree.contains(&rule.name)) else {
                        continue;
                    };
                    let bytes = match tree.read(&rule.name) {
                        Ok(Some(bytes)) => bytes,
                        Ok(None) => continue,
                        Err(error) => {
                            self.refusals.push(Refusal::Source(error));
                            continue;
                        }
                    };
                    let shown = tree.shown(&rule.name);
                    if let Some(file) = self.inspect((*platform, *variant), rule, bytes, &shown) {
                        files.push(file);
                    }
                }
            }
        }
        files
    }

    /// Holds one file against its rule.
    fn inspect(
        &mut self,
        (platform, variant): (Platform, Option<&Variant>),
        rule: &FileRule,
        bytes: Vec<u8>,
        shown: &str,
    ) -> Option<SurveyedFile> {
        let wanted = rule.version_on(platform, variant);
        let image = Image::read(&bytes);
        let (file, name) = (|| shown.to_owned(), || rule.name.clone());
        let key = || FileKey { platform, variant: variant.cloned(), name: name() };
        self.check_machine(key(), &bytes, shown);
        match (wanted, image.map(|image| image.version)) {
            (Some(wanted), Err(reason)) => {
                self.refusals.push(Refusal::NotAnImage { file: file(), key: key(), reason, wanted });
            }
            (Some(wanted), Ok(None)) => {
                self.refusals.push(Refusal::NoVersion { file: file(), key: key(), wanted });
            }
            (Some(wanted), Ok(Some(found))) if found != wanted => {
                self.refusals.push(Refusal::Version { file: file(), key: key(), found, wanted });
            }
            (Some(_) | None, _) => {}
        }
        if bytes.is_empty() {
            self.warnings.push(Warning::EmptyFile { file: key(), tree: file() });
        }
        let install = self.install(platform, rule);
        let member = format!("{}/{}", self.profile.folder(platform), rule.name);
        let member = variant.map_or(member.clone(), |variant| format!("variants/{variant}/{member}"));
        let member = match member.parse() {
            Ok(member) => member,
            Err(reason) => {
                self.refusals.push(Refusal::Name { tree: file(), reason });
                return None;
            }
        };
        Some(SurveyedFile {
            platform,
            variant: variant.cloned(),
            name: name(),
            member,
            digest: Digest::of(&bytes),
            version: image.ok().and_then(|image| image.version),
            time_stamp: image.ok().map(|image| image.time_stamp),
            register: rule.register,
            install,
            baselines: Vec::new(),
            bytes,
        })
    }

    fn check_machine(&mut self, key: FileKey, bytes: &[u8], shown: &str) {
        if let Ok(image) = Image::read(bytes)
            && image.machine != key.platform.machine()
        {
            let (file, found, wanted) = (shown.to_owned(), image.machine, key.platform.machine());
            self.refusals.push(Refusal::Machine { file, key, found, wanted });
        }
    }

    /// Returns where a file goes: in the roles of its rule, in the order of the profile.
    fn install(&mut self, platform: Platform, rule: &FileRule) -> Vec<InstallEntry> {
        let mut entries = Vec::new();
        for role in &self.profile.roles {
            let wanted = rule.roles.as_ref().is_none_or(|roles| roles.contains(&role.entry.role));
            if !wanted {
                continue;
            }
            let default = [role.to.clone()];
            for to in rule.to.as_deref().unwrap_or(&default) {
                match self.profile.place(to, platform, &rule.name) {
                    Ok(path) => {
                        let verb = Verb::from(rule.when.unwrap_or(role.when));
                        entries.push(InstallEntry { role: role.entry.role.clone(), verb, to: path });
                    }
                    Err(reason) => {
                        let (name, to) = (rule.name.clone(), to.clone());
                        self.refusals.push(Refusal::Destination { name, to, reason });
                        return entries;
                    }
                }
            }
        }
        entries
    }

    /// Requires that a target gets no two files at one place.
    fn check_destinations(&mut self, files: &[SurveyedFile]) {
        let mut taken: BTreeMap<_, Vec<&SurveyedFile>> = BTreeMap::new();
        for file in files {
            for InstallEntry { role, to, .. } in &file.install {
                let there = taken.entry((file.platform, role, to.folded())).or_default();
                if let Some(first) = there.iter().find(|other| other.meets(file)) {
                    self.refusals.push(Refusal::SameDestination {
                        first: first.shown(),
                        second: file.shown(),
                        to: to.clone(),
                        role: role.clone(),
                    });
                }
                there.push(file);
            }
        }
    }

    fn read_baselines(&mut self, parts: &[Part<'_>], files: &mut [SurveyedFile]) {
        if parts.iter().all(|part| part.baselines.is_empty()) {
            self.warnings.push(Warning::NoBaseline);
        }
        for part in parts {
            for baseline in part.baselines {
                for platform in Platform::ALL {
                    let Some(paths) = baseline.trees.on(platform) else { continue };
                    if part.payload.on(platform).is_none() {
                        let (baseline, payload) = (baseline.name.clone(), part.key());
                        self.refusals.push(Refusal::BaselineWithoutPayload { baseline, platform, payload });
                        continue;
                    }
                    let mut trees: Vec<Tree> = paths.iter().filter_map(|path| self.open(path)).collect();
                    if trees.len() < paths.len() {
                        continue;
                    }
                    let mut known = 0;
                    let is_of_part = |file: &&mut SurveyedFile| {
                        file.platform == platform && file.variant.as_ref() == part.variant
                    };
                    for file in files.iter_mut().filter(is_of_part) {
                        let tree = trees.iter_mut().rfind(|tree| tree.contains(&file.name));
                        known += tree
                            .map_or(0, |tree| usize::from(self.read_baseline(&baseline.name, tree, file)));
                    }
                    if known == 0 {
                        let (baseline, tree) = (baseline.name.clone(), places(paths));
                        self.warnings.push(Warning::ForeignBaseline { baseline, platform, tree });
                    }
                }
            }
        }
    }

    /// Adds the old state of a file, if the baseline has one, and tells whether it has.
    fn read_baseline(&mut self, baseline: &str, tree: &mut Tree, file: &mut SurveyedFile) -> bool {
        let shown = tree.shown(&file.name);
        let bytes = match tree.read(&file.name) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return false,
            Err(error) => {
                self.refusals.push(Refusal::Source(error));
                return false;
            }
        };
        self.check_machine(file.key(), &bytes, &shown);
        let old = OldFile {
            name: baseline.to_owned(),
            digest: Digest::of(&bytes),
            version: Image::read(&bytes).ok().and_then(|image| image.version),
            bytes,
        };
        if let (Some(version), Some(before)) = (file.version, old.version)
            && old.digest != file.digest
        {
            let (baseline, file) = (baseline.to_owned(), file.key());
            match version.cmp(&before) {
                Ordering::Greater => {}
                Ordering::Equal => self.warnings.push(Warning::SameVersion { file, version, baseline }),
                Ordering::Less => {
                    self.warnings.push(Warning::LowerVersion { file, version, old: before, baseline });
                }
            }
        }
        file.baselines.push(old);
        true
    }
}

/// Tells whether a text is one line of at most so many characters, and says something.
fn is_line(text: &str, most: usize) -> bool {
    !text.trim().is_empty() && plain_text::is_line(text) && text.chars().count() <= most
}

/// Shows the places of files in messages.
fn places<'a>(trees: impl IntoIterator<Item = &'a PathBuf>) -> String {
    trees.into_iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" or ")
}
