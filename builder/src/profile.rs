//! The product profile: what is the product's own about an update, as data.
//!
//! Roles with their folders and services, gates, folder names of the platforms. The builder expands it into the
//! signed manifest, so that the patcher knows no product. `profiles/sms2.toml` is built in; a recipe may name
//! another. A profile that exists is sound: unique roles, references that lead somewhere, safe paths.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;

use qfe_patcher::bundle::manifest::Verb;
use qfe_patcher::bundle::product::{
    Gate, InstalledAt, Level, Product, ReadySet, Registration, RegistrationValue, RoleEntry, ServiceEntry,
};
use qfe_patcher::name::{Role, UpdateId};
use qfe_patcher::platform::Platform;
use qfe_patcher::registry::{InvalidKey, RegistryKey};
use qfe_patcher::target_path::{TargetPath, UnsafePath};

use crate::recipe::{FormError, When};
use crate::written::ours;

pub mod review;

use review::Review;

/// The built-in profile.
const SMS2: &str = include_str!("../profiles/sms2.toml");

/// A product profile.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The product, as its vendor writes it.
    pub product: String,
    /// Where the log is kept below the target; `{id}` stands for the update's number.
    log: String,
    platforms: Folders,
    /// The product's releases, oldest first.
    pub levels: Vec<Level>,
    registration: Option<WrittenRegistration>,
    /// Conditions on the machine.
    pub gates: Vec<Gate>,
    /// Sets of updates that a next step needs.
    pub readiness: Vec<ReadySet>,
    /// The parts a target may play, in the order of the profile.
    pub roles: Vec<RoleProfile>,
    /// What reviewers know of the product.
    pub review: Review,
}

/// A role and the defaults for its files.
#[derive(Clone, Debug)]
pub struct RoleProfile {
    /// The role as manifests carry it.
    pub entry: RoleEntry,
    /// The folder below the target where its files go; `{platform}` stands for the platform's folder name.
    pub to: String,
    /// Whether files are added where they are absent.
    pub when: When,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Folders {
    #[serde(deserialize_with = "ours")]
    i386: TargetPath,
    #[serde(deserialize_with = "ours")]
    alpha: TargetPath,
}

/// The profile as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    product: String,
    log: String,
    platforms: Folders,
    #[serde(default, rename = "level")]
    levels: Vec<WrittenLevel>,
    registration: Option<WrittenRegistration>,
    #[serde(default, rename = "gate", deserialize_with = "ours")]
    gates: Vec<Gate>,
    #[serde(default, deserialize_with = "ours")]
    readiness: Vec<ReadySet>,
    #[serde(rename = "role")]
    roles: Vec<WrittenRole>,
    #[serde(default)]
    review: Review,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRole {
    #[serde(deserialize_with = "ours")]
    role: Role,
    title: String,
    usual: String,
    #[serde(default, deserialize_with = "ours")]
    installed: Option<InstalledAt>,
    #[serde(default, deserialize_with = "ours")]
    lacks: Vec<TargetPath>,
    to: String,
    when: When,
    #[serde(default, deserialize_with = "ours")]
    after: Vec<Role>,
    #[serde(default)]
    programs: Vec<String>,
    #[serde(default)]
    before: Vec<String>,
    #[serde(default)]
    services: Vec<WrittenService>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenService {
    service: String,
    #[serde(default)]
    optional: bool,
    prefix: Option<String>,
    #[serde(default, deserialize_with = "ours")]
    holds: Vec<TargetPath>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenLevel {
    build: u16,
    #[serde(default)]
    from: u16,
    name: String,
    version: Option<String>,
}

/// Where updates are recorded; `{id}`, `{title}` and `{revision}` stand for the update's.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRegistration {
    key: String,
    #[serde(default)]
    values: BTreeMap<String, String>,
}

/// Why a text is no profile.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// It has not the form of one.
    #[error(transparent)]
    Form(#[from] FormError),
    /// A role stands there twice.
    #[error("{path}: role {role} is defined twice")]
    RoleTwice {
        /// The profile.
        path: String,
        /// The role.
        role: Role,
    },
    /// A role comes after one that is not defined.
    #[error("{path}: role {role} comes after {after}, which is not defined")]
    UnknownRole {
        /// The profile.
        path: String,
        /// The role.
        role: Role,
        /// The role it names.
        after: Role,
    },
    /// What the reviewers know names a role that is not defined.
    #[error("{path}: companions of [{companions}] are for the role {role}, which is not defined")]
    ReviewRole {
        /// The profile.
        path: String,
        /// Their source.
        companions: String,
        /// The role.
        role: Role,
    },
    /// A gate names a role that is not defined.
    #[error("{path}: the gate on {gate} is for the role {role}, which is not defined")]
    GateRole {
        /// The profile.
        path: String,
        /// The value it looks at.
        gate: String,
        /// The role.
        role: Role,
    },
    /// A text is no registry key.
    #[error("{path}: the registration's key cannot be used")]
    Key {
        /// The profile.
        path: String,
        /// Why.
        source: InvalidKey,
    },
    /// Releases are not in order.
    #[error("{path}: level {name} comes before an older one: by build and revision they must ascend")]
    LevelOrder {
        /// The profile.
        path: String,
        /// The release.
        name: String,
    },
    /// A path is not safe.
    #[error("{path}: {key} {found:?} leads to no safe path")]
    Path {
        /// The profile.
        path: String,
        /// The key that holds it.
        key: &'static str,
        /// Its value.
        found: String,
        /// Why.
        source: PlaceError,
    },
}

/// Why a folder and a name make no path below a target.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// The path is not safe.
    #[error(transparent)]
    Unsafe(#[from] UnsafePath),
    /// It holds a brace that is no part of a known place holder.
    #[error("{found:?} holds a place holder other than {{platform}}")]
    PlaceHolder {
        /// The text.
        found: String,
    },
}

impl Profile {
    /// Returns the built-in profile of Systems Management Server 2.0.
    pub fn sms2() -> Result<Self, ProfileError> {
        Self::parse(Path::new("the built-in profile sms2.toml"), SMS2)
    }

    /// Reads a profile; `path` is for messages.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ProfileError> {
        let written: Written = toml::from_str(text).map_err(|error| FormError::new(path, text, &error))?;
        let profile = Self {
            product: written.product,
            log: written.log,
            platforms: written.platforms,
            levels: written.levels.into_iter().map(Level::from).collect(),
            registration: written.registration,
            gates: written.gates,
            readiness: written.readiness,
            roles: written.roles.into_iter().map(RoleProfile::from).collect(),
            review: written.review,
        };
        profile.check(&path.display().to_string())?;
        Ok(profile)
    }

    fn check(&self, path: &str) -> Result<(), ProfileError> {
        // A name that cannot be at fault.
        let any: TargetPath = "x".parse().expect("a letter is a safe name");
        let mut known = BTreeSet::new();
        for role in self.role_names() {
            if !known.insert(role) {
                return Err(ProfileError::RoleTwice { path: path.to_owned(), role: role.clone() });
            }
        }
        for RoleProfile { entry, to, .. } in &self.roles {
            if let Some(after) = entry.after.iter().find(|after| !known.contains(after)) {
                let (role, after) = (entry.role.clone(), after.clone());
                return Err(ProfileError::UnknownRole { path: path.to_owned(), role, after });
            }
            probed(path, "to", to, self.place(to, Platform::I386, &any))?;
        }
        for gate in &self.gates {
            let roles: Vec<&Role> = match gate {
                Gate::RegistryBuild { roles, .. }
                | Gate::RegistryOneOf { roles, .. }
                | Gate::PendingRenames { roles, .. } => roles.iter().collect(),
                Gate::RegistryMachine { here, elsewhere, .. } => here.iter().chain(elsewhere).collect(),
            };
            if let Some(role) = roles.into_iter().find(|role| !known.contains(role)) {
                let (gate, role) = (gate.place().1.to_owned(), role.clone());
                return Err(ProfileError::GateRole { path: path.to_owned(), gate, role });
            }
        }
        for companions in &self.review.companions {
            if !known.contains(&companions.role) {
                let (companions, role) = (companions.source.clone(), companions.role.clone());
                return Err(ProfileError::ReviewRole { path: path.to_owned(), companions, role });
            }
            for folder in &companions.folders {
                probed(path, "folders", folder, self.place(folder, Platform::I386, &any))?;
            }
        }
        let order = |level: &Level| (level.build, level.from);
        let disordered =
            self.levels.iter().zip(self.levels.iter().skip(1)).find(|(a, b)| order(a) >= order(b));
        if let Some((level, _)) = disordered {
            return Err(ProfileError::LevelOrder { path: path.to_owned(), name: level.name.clone() });
        }
        if let Some(registration) = &self.registration {
            let key: Result<RegistryKey, _> = registration.key.parse();
            key.map_err(|source| ProfileError::Key { path: path.to_owned(), source })?;
        }
        probed(path, "log", &self.log, place(&self.log.replace("{id}", "Q1"), &any))
    }

    /// Returns the names of the roles in the order of the profile.
    pub fn role_names(&self) -> impl Iterator<Item = &Role> {
        self.roles.iter().map(|role| &role.entry.role)
    }

    /// Returns the folder name of a platform.
    pub fn folder(&self, platform: Platform) -> &TargetPath {
        match platform {
            Platform::I386 => &self.platforms.i386,
            Platform::Alpha => &self.platforms.alpha,
        }
    }

    /// Returns the path of the log of an update below the target.
    pub fn log(&self, id: &UpdateId) -> Result<TargetPath, UnsafePath> {
        self.log.replace("{id}", id.as_str()).parse()
    }

    /// Returns what it says of the product, as the patcher knows it.
    pub fn facts_of_product(&self) -> Product {
        Product {
            product: self.product.clone(),
            log: self.log.clone(),
            levels: self.levels.clone(),
            gates: self.gates.clone(),
            roles: self.role_entries(),
            readiness: self.readiness.clone(),
        }
    }

    /// Returns the roles as manifests carry them.
    pub fn role_entries(&self) -> Vec<RoleEntry> {
        self.roles.iter().map(|role| role.entry.clone()).collect()
    }

    /// Returns where an update is recorded in the registry.
    pub fn registration(&self, id: &UpdateId, title: &str, revision: u32) -> Option<Registration> {
        let fill = |text: &str| {
            text.replace("{id}", id.as_str())
                .replace("{revision}", &revision.to_string())
                .replace("{title}", title)
        };
        self.registration.as_ref().map(|written| Registration {
            key: fill(&written.key),
            values: written
                .values
                .iter()
                .map(|(name, text)| RegistrationValue { name: name.clone(), text: fill(text) })
                .collect(),
        })
    }

    /// Returns the path of a file in the folder `to` of a target; `.` is the target itself.
    pub fn place(&self, to: &str, platform: Platform, name: &TargetPath) -> Result<TargetPath, PlaceError> {
        place(&to.replace("{platform}", self.folder(platform).as_str()), name)
    }
}

/// Requires that a place in the profile, tried with a name that cannot be at fault, is one.
fn probed(
    path: &str,
    key: &'static str,
    found: &str,
    place: Result<TargetPath, PlaceError>,
) -> Result<(), ProfileError> {
    place.map(drop).map_err(|source| ProfileError::Path {
        path: path.to_owned(),
        key,
        found: found.to_owned(),
        source,
    })
}

fn place(folder: &str, name: &TargetPath) -> Result<TargetPath, PlaceError> {
    if folder.contains(['{', '}']) {
        return Err(PlaceError::PlaceHolder { found: folder.to_owned() });
    }
    let path = match folder {
        "." => name.to_string(),
        folder => format!("{folder}/{name}"),
    };
    Ok(path.parse()?)
}

impl From<WrittenRole> for RoleProfile {
    fn from(written: WrittenRole) -> Self {
        let service = |WrittenService { service, optional, prefix, holds }| ServiceEntry {
            service,
            optional,
            prefix,
            holds,
        };
        Self {
            entry: RoleEntry {
                role: written.role,
                title: written.title,
                usual: written.usual,
                installed: written.installed,
                lacks: written.lacks,
                after: written.after,
                services: written.services.into_iter().map(service).collect(),
                programs: written.programs,
                before: written.before,
            },
            to: written.to,
            when: written.when,
        }
    }
}

impl From<WrittenLevel> for Level {
    fn from(WrittenLevel { build, from, name, version }: WrittenLevel) -> Self {
        Self { build, from, name, version }
    }
}

impl From<When> for Verb {
    fn from(when: When) -> Self {
        match when {
            When::Present => Self::ReplaceFile,
            When::Always => Self::AddFile,
        }
    }
}

#[cfg(test)]
mod tests {
    use qfe_patcher::json::ToJson;

    use super::*;

    fn broken(from: &str, to: &str) -> ProfileError {
        assert!(SMS2.contains(from), "{from}");
        Profile::parse(Path::new("p.toml"), &SMS2.replacen(from, to, 1)).unwrap_err()
    }

    #[test]
    fn the_built_in_profile_has_the_articles_roles_and_services() {
        let profile = Profile::sms2().unwrap();
        let roles: Vec<&str> = profile.role_names().map(Role::as_str).collect();
        assert_eq!(roles, ["site-server", "sql-monitor", "provider", "console"]);
        let services: Vec<Vec<(&str, bool)>> = profile
            .roles
            .iter()
            .map(|role| role.entry.services.iter().map(|s| (s.service.as_str(), s.optional)).collect())
            .collect();
        assert_eq!(
            services,
            [
                vec![
                    ("SMS_SITE_COMPONENT_MANAGER", false),
                    ("SMS_EXECUTIVE", false),
                    ("SMS_SQL_MONITOR", true),
                    ("WinMgmt", true)
                ],
                vec![("SMS_SQL_MONITOR", false)],
                vec![("WinMgmt", false), ("SMS_SQL_MONITOR", true)],
                vec![],
            ]
        );
        for role in profile.roles.iter().skip(1) {
            assert_eq!(role.entry.after, ["site-server".parse().unwrap()]);
            assert_eq!(role.when, When::Present);
        }
        let name = "Ccm.dll".parse().unwrap();
        let place =
            |at: usize| profile.place(&profile.roles[at].to, Platform::Alpha, &name).unwrap().to_string();
        assert_eq!((place(0).as_str(), place(1).as_str()), ("Bin/alpha/Ccm.dll", "Ccm.dll"));
        assert_eq!(profile.log(&"Q252717".parse().unwrap()).unwrap().as_str(), "LOGS/Q252717.log");
    }

    #[test]
    fn remedies_are_one_line_and_say_what_to_type() {
        for gate in Profile::sms2().unwrap().gates {
            let (Gate::RegistryBuild { remedy, .. }
            | Gate::RegistryOneOf { remedy, .. }
            | Gate::RegistryMachine { remedy, .. }
            | Gate::PendingRenames { remedy, .. }) = &gate;
            assert!(!remedy.contains('\n') && !remedy.contains("  "), "{remedy:?}");
            assert!(!remedy.contains("Correct") || remedy.contains(&gate.place().0.to_string()), "{remedy}");
        }
    }

    /// `QFE_BLESS=1` writes them anew.
    #[test]
    fn the_patcher_has_the_facts_of_the_built_in_profile() {
        let facts = Profile::sms2().unwrap().facts_of_product();
        if std::env::var_os("QFE_BLESS").is_some() {
            // Every byte of it is in every patcher: no blanks.
            let text = format!("{}\n", facts.to_json());
            std::fs::write("../patcher/src/bundle/product/sms2.json", text).unwrap();
        } else {
            assert_eq!(Product::built_in(), facts);
        }
    }

    #[test]
    fn broken_profiles_are_refused_by_name() {
        assert!(matches!(broken("usual =", "usually ="), ProfileError::Form(_)));
        assert!(matches!(broken("registry-build", "moon-phase"), ProfileError::Form(_)));
        assert!(matches!(
            broken("after = [\"site-server\"]", "after = [\"moon\"]"),
            ProfileError::UnknownRole { .. }
        ));
        assert!(matches!(
            broken("role = \"console\"", "role = \"provider\""),
            ProfileError::RoleTwice { .. }
        ));
        assert!(matches!(
            broken("here = [\"provider\"]", "here = [\"moon\"]"),
            ProfileError::GateRole { .. }
        ));
        assert!(matches!(broken("build = 1380", "build = 1239"), ProfileError::LevelOrder { .. }));
        assert!(matches!(
            broken("role = \"site-server\"\nfolders", "role = \"moon\"\nfolders"),
            ProfileError::ReviewRole { .. }
        ));
        assert!(matches!(
            broken("\"Inboxes/Clicomp.src\"", "\"../Inboxes\""),
            ProfileError::Path { key: "folders", .. }
        ));
        assert!(matches!(
            broken("'HKLM\\SOFTWARE\\Microsoft\\Updates", "'HKCU\\x"),
            ProfileError::Key { .. }
        ));
        for (from, to) in [("Bin/{platform}", "../{platform}"), ("Bin/{platform}", "{drive}"), ("LOGS/", "/")]
        {
            let error = broken(from, to).to_string();
            assert!(error.starts_with("p.toml: "), "{error}");
        }
    }
}
