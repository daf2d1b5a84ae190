//! The survey: every payload file inspected and held against recipe and profile.
//!
//! All findings are reported at once: a release engineer should not have to fix a recipe one error at a time.
//! What comes out is in order, and complete: nothing later reads a payload again.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use qfe_patcher::bundle::manifest::{InstallEntry, Verb};
use qfe_patcher::digest::Digest;
use qfe_patcher::image::Image;
use qfe_patcher::name::Role;
use qfe_patcher::platform::Platform;
use qfe_patcher::target_path::TargetPath;
use qfe_patcher::version::FileVersion;

use super::finding::{Finding, Findings};
use crate::profile::Profile;
use crate::recipe::{FileRule, Recipe};
use crate::sources::Tree;

/// Everything a bundle is made of.
#[derive(Debug)]
pub struct Survey {
    /// The new files, by platform and folded name.
    pub files: Vec<SurveyedFile>,
    /// What is allowed and looks wrong.
    pub warnings: Vec<String>,
}

/// A new file that agrees with the recipe.
#[derive(Debug)]
pub struct SurveyedFile {
    /// Its platform.
    pub platform: Platform,
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
        format!("{}/{}", self.platform, self.name)
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
pub fn survey(recipe: &Recipe, profile: &Profile, base: &Path) -> Result<Survey, Findings> {
    let mut surveyor = Surveyor { recipe, profile, base, findings: Vec::new(), warnings: Vec::new() };
    surveyor.check_head();
    let mut payload = surveyor.open_payload();
    let rules = surveyor.rules(&payload);
    surveyor.check_listing(&payload, &rules);
    let mut files = surveyor.read_files(&mut payload, &rules);
    surveyor.check_destinations(&files);
    surveyor.read_baselines(&mut files);
    match Findings::of(&recipe.id, surveyor.findings) {
        None => Ok(Survey { files, warnings: surveyor.warnings }),
        Some(findings) => Err(findings),
    }
}

/// A payload that could be opened, by platform.
type Payload = BTreeMap<Platform, Tree>;
/// The rules for each platform, by folded name.
type Rules<'a> = BTreeMap<Platform, BTreeMap<String, FileRule>>;

struct Surveyor<'a> {
    recipe: &'a Recipe,
    profile: &'a Profile,
    base: &'a Path,
    findings: Vec<Finding>,
    warnings: Vec<String>,
}

impl Surveyor<'_> {
    /// Checks what the recipe says about the update as a whole.
    fn check_head(&mut self) {
        let Recipe { id, title, revision, product, builds, requires, supersedes, .. } = self.recipe;
        let profile = self.profile;
        let mut refuse = |key: &str, found: String, wanted| {
            self.findings.push(Finding::Value { key: key.to_owned(), found, wanted });
        };
        if title.trim().is_empty() || title.chars().any(char::is_control) || title.chars().count() > 200 {
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
            if text.trim().is_empty() || text.chars().any(char::is_control) || text.chars().count() > 500 {
                refuse("text of a [[step]]", format!("{text:?}"), "one line of at most 500 characters");
            }
            let unknown =
                step.roles.iter().flatten().find(|role| !profile.role_names().any(|known| known == *role));
            if let Some(role) = unknown {
                refuse("roles of a [[step]]", role.to_string(), "roles of the profile");
            }
        }
        let mut names = BTreeSet::new();
        for baseline in &self.recipe.baselines {
            if baseline.name.trim().is_empty() || baseline.name.chars().any(char::is_control) {
                refuse("name of a [[baseline]]", format!("{:?}", baseline.name), "one line");
            }
            if !names.insert(&baseline.name) {
                refuse("name of a [[baseline]]", format!("{:?} twice", baseline.name), "each name once");
            }
        }
        if *product != self.profile.product {
            let (found, wanted) = (product.clone(), self.profile.product.clone());
            self.findings.push(Finding::Product { found, wanted });
        }
    }

    fn open(&mut self, path: &Path) -> Option<Tree> {
        Tree::open(&self.base.join(path)).map_err(|error| self.findings.push(Finding::Source(error))).ok()
    }

    fn open_payload(&mut self) -> Payload {
        let mut payload = Payload::new();
        for platform in Platform::ALL {
            let Some(path) = self.recipe.payload.on(platform) else { continue };
            let Some(tree) = self.open(path) else { continue };
            let shown = || path.display().to_string();
            self.findings.extend(
                tree.strays().iter().map(|reason| Finding::Name { tree: shown(), reason: reason.clone() }),
            );
            if tree.names().next().is_none() {
                self.findings.push(Finding::EmptyPayload { tree: shown() });
            }
            payload.insert(platform, tree);
        }
        if Platform::ALL.iter().all(|platform| self.recipe.payload.on(*platform).is_none()) {
            self.findings.push(Finding::NoPayload);
        }
        payload
    }

    /// Returns the rules for each platform: the recipe's, or one for each name of the payload.
    fn rules(&mut self, payload: &Payload) -> Rules<'static> {
        let mut rules: Vec<FileRule> = self.recipe.files.clone();
        if rules.is_empty() {
            let mut names = BTreeMap::new();
            for name in payload.values().flat_map(Tree::names) {
                names.entry(name.folded()).or_insert(name);
            }
            rules = names.into_values().cloned().map(FileRule::of).collect();
        }
        let mut sorted: Rules<'_> = BTreeMap::new();
        for rule in rules {
            for platform in rule.platforms.iter().flatten() {
                if self.recipe.payload.on(*platform).is_none() {
                    let (name, platform) = (rule.name.clone(), *platform);
                    self.findings.push(Finding::PlatformWithoutPayload { name, platform });
                }
            }
            self.check_roles(&rule.name, rule.roles.as_deref());
            for platform in Platform::ALL.into_iter().filter(|platform| rule.is_for(*platform)) {
                if self.recipe.payload.on(platform).is_none() {
                    continue;
                }
                let of_platform = sorted.entry(platform).or_default();
                if of_platform.insert(rule.name.folded(), rule.clone()).is_some() {
                    self.findings.push(Finding::ListedTwice { name: rule.name.clone(), platform });
                }
            }
        }
        sorted
    }

    fn check_roles(&mut self, name: &TargetPath, roles: Option<&[Role]>) {
        let Some(roles) = roles else { return };
        for found in roles.iter().filter(|role| !self.profile.role_names().any(|known| known == *role)) {
            let known = self.profile.role_names().map(Role::as_str).collect::<Vec<_>>().join(", ");
            self.findings.push(Finding::UnknownRole { name: name.clone(), found: found.clone(), known });
        }
        if roles.is_empty() || roles.iter().collect::<BTreeSet<_>>().len() != roles.len() {
            let found = roles.iter().map(Role::as_str).collect::<Vec<_>>().join(", ");
            let found = if found.is_empty() { "no role".to_owned() } else { found };
            self.findings.push(Finding::Roles { name: name.clone(), found });
        }
    }

    /// Holds the names of the payload against those of the rules, both ways.
    fn check_listing(&mut self, payload: &Payload, rules: &Rules<'_>) {
        for (platform, tree) in payload {
            let none = BTreeMap::new();
            let rules = rules.get(platform).unwrap_or(&none);
            for name in tree.names().filter(|name| !rules.contains_key(&name.folded())) {
                self.findings.push(Finding::Unlisted { file: tree.shown(name), platform: *platform });
            }
            for FileRule { name, .. } in rules.values().filter(|rule| !tree.contains(&rule.name)) {
                let (name, platform) = (name.clone(), *platform);
                let path = self.recipe.payload.on(platform);
                let shown = path.map(|path| path.display().to_string()).unwrap_or_default();
                let twin = payload.iter().find(|(_, tree)| tree.contains(&name)).map(|(twin, _)| *twin);
                self.findings.push(match twin {
                    Some(twin) => Finding::MissingTwin { name, platform, tree: shown, twin },
                    None => Finding::NotInPayload { name, platform, tree: shown },
                });
            }
        }
    }

    fn read_files(&mut self, payload: &mut Payload, rules: &Rules<'_>) -> Vec<SurveyedFile> {
        let mut files = Vec::new();
        for (platform, tree) in payload {
            for rule in rules.get(platform).into_iter().flat_map(BTreeMap::values) {
                let bytes = match tree.read(&rule.name) {
                    Ok(Some(bytes)) => bytes,
                    Ok(None) => continue,
                    Err(error) => {
                        self.findings.push(Finding::Source(error));
                        continue;
                    }
                };
                let shown = tree.shown(&rule.name);
                if let Some(file) = self.inspect(*platform, rule, bytes, &shown) {
                    files.push(file);
                }
            }
        }
        files
    }

    /// Holds one file against its rule.
    fn inspect(
        &mut self,
        platform: Platform,
        rule: &FileRule,
        bytes: Vec<u8>,
        shown: &str,
    ) -> Option<SurveyedFile> {
        let wanted = rule.version.as_ref().and_then(|version| version.on(platform));
        let image = Image::read(&bytes);
        self.check_machine(platform, &bytes, shown);
        let file = || shown.to_owned();
        match (wanted, image.map(|image| image.version)) {
            (Some(wanted), Err(reason)) => {
                self.findings.push(Finding::NotAnImage { file: file(), reason, wanted });
            }
            (Some(wanted), Ok(None)) => self.findings.push(Finding::NoVersion { file: file(), wanted }),
            (Some(wanted), Ok(Some(found))) if found != wanted => {
                self.findings.push(Finding::Version { file: file(), found, wanted });
            }
            (Some(_) | None, _) => {}
        }
        if bytes.is_empty() {
            self.warnings.push(format!("{shown} is empty"));
        }
        let install = self.install(platform, rule);
        let member = format!("{}/{}", self.profile.folder(platform), rule.name);
        let member = match member.parse() {
            Ok(member) => member,
            Err(reason) => {
                self.findings.push(Finding::Name { tree: file(), reason });
                return None;
            }
        };
        Some(SurveyedFile {
            platform,
            name: rule.name.clone(),
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

    fn check_machine(&mut self, platform: Platform, bytes: &[u8], shown: &str) {
        if let Ok(image) = Image::read(bytes)
            && image.machine != platform.machine()
        {
            let (file, found, wanted) = (shown.to_owned(), image.machine, platform.machine());
            self.findings.push(Finding::Machine { file, found, wanted });
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
                        self.findings.push(Finding::Destination { name, to, reason });
                        return entries;
                    }
                }
            }
        }
        entries
    }

    fn check_destinations(&mut self, files: &[SurveyedFile]) {
        let mut taken = BTreeMap::new();
        for file in files {
            for InstallEntry { role, to, .. } in &file.install {
                if let Some(first) = taken.insert((file.platform, role, to.folded()), &file.name) {
                    self.findings.push(Finding::SameDestination {
                        first: first.clone(),
                        second: file.name.clone(),
                        to: to.clone(),
                        role: role.clone(),
                        platform: file.platform,
                    });
                }
            }
        }
    }

    fn read_baselines(&mut self, files: &mut [SurveyedFile]) {
        if self.recipe.baselines.is_empty() {
            let warning = "the recipe names no baseline: no old file is known, and servers that have one refuse the update";
            self.warnings.push(warning.to_owned());
        }
        for baseline in &self.recipe.baselines {
            for platform in Platform::ALL {
                let Some(path) = baseline.on(platform) else { continue };
                if self.recipe.payload.on(platform).is_none() {
                    let baseline = baseline.name.clone();
                    self.findings.push(Finding::BaselineWithoutPayload { baseline, platform });
                    continue;
                }
                let Some(mut tree) = self.open(path) else { continue };
                let mut known = 0;
                for file in files.iter_mut().filter(|file| file.platform == platform) {
                    known += usize::from(self.read_baseline(&baseline.name, &mut tree, file));
                }
                if known == 0 {
                    let path = path.display();
                    self.warnings
                        .push(format!("baseline {:?}: {path} holds no file of the payload", baseline.name));
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
                self.findings.push(Finding::Source(error));
                return false;
            }
        };
        self.check_machine(file.platform, &bytes, &shown);
        let old = OldFile {
            name: baseline.to_owned(),
            digest: Digest::of(&bytes),
            version: Image::read(&bytes).ok().and_then(|image| image.version),
            bytes,
        };
        if let (Some(new), Some(before)) = (file.version, old.version)
            && old.digest != file.digest
        {
            let (shown, baseline) = (file.shown(), format!("baseline {baseline:?}"));
            match new.cmp(&before) {
                Ordering::Greater => {}
                Ordering::Equal => self.warnings.push(format!(
                    "{shown} has version {new} in {baseline} too, with other contents: raise it, or nobody can tell \
                     the two apart by version"
                )),
                // The patcher leaves a newer file alone, known or not.
                Ordering::Less => self.warnings.push(format!(
                    "{shown} has version {new}, which is below the {before} of {baseline}: servers with that file \
                     keep it; are payload and baseline exchanged?"
                )),
            }
        }
        file.baselines.push(old);
        true
    }
}
