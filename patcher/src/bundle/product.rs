//! What a manifest says about its product: the profile, as the builder expanded it.
//!
//! The patcher knows kinds of gates and what services, programs and records are; which there are is data. For commands
//! that are given no bundle the facts of Systems Management Server 2.0 are built in, as data too ([`Product::built_in`]).

use std::fmt;

use crate::json::{self, object_json, tagged_json};
use crate::name::{Role, UpdateId};
use crate::registry::RegistryKey;
use crate::target_path::{TargetPath, UnsafePath};
use crate::version::FileVersion;

/// The facts of the built-in profile, as the builder writes them; a test of the builder holds them against it.
const BUILT_IN: &str = include_str!("product/sms2.json");

/// What is the product's own about its updates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    /// Its name, as its vendor writes it.
    pub product: String,
    /// Where the log of a run is kept below the target; `{id}` stands for the update's number.
    pub log: String,
    /// Its releases, oldest first.
    pub levels: Vec<Level>,
    /// Conditions on the machine.
    pub gates: Vec<Gate>,
    /// The parts a target may play.
    pub roles: Vec<RoleEntry>,
    /// Sets of updates that a next step needs.
    pub readiness: Vec<ReadySet>,
}

object_json!(Product { product, log, levels, gates, roles, readiness });

impl Product {
    /// Returns the built-in facts: those of Systems Management Server 2.0.
    ///
    /// # Panics
    /// Where they have not the form of such facts, which a test rules out.
    pub fn built_in() -> Self {
        json::read(BUILT_IN.as_bytes()).expect("the built-in facts are written by the builder")
    }

    /// Returns where the log of a run is kept below the target.
    pub fn log(&self, id: &UpdateId) -> Result<TargetPath, UnsafePath> {
        self.log.replace("{id}", id.as_str()).parse()
    }

    /// Returns the release that a version belongs to.
    pub fn level(&self, version: FileVersion) -> Option<&Level> {
        let [_, _, build, revision] = version.0;
        self.levels.iter().rfind(|level| level.build == build && level.from <= revision)
    }

    /// Returns the first release of a build.
    pub fn first_level(&self, build: u16) -> Option<&Level> {
        self.levels.iter().find(|level| level.build == build)
    }

    /// Returns the key and name of the value that states what is installed, and what to tell where it is wrong.
    pub fn stated_version(&self) -> Option<(&RegistryKey, &str, &str)> {
        self.gates.iter().find_map(|gate| match gate {
            Gate::RegistryBuild { key, value, remedy, .. } => Some((key, value.as_str(), remedy.as_str())),
            Gate::RegistryOneOf { .. } | Gate::RegistryMachine { .. } | Gate::PendingRenames { .. } => None,
        })
    }
}

/// A release of the product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Level {
    /// Its build: the third number of the product's version.
    pub build: u16,
    /// The lowest revision of it, the fourth number; those of one build ascend.
    pub from: u16,
    /// Its name where updates are recorded: `SP1`.
    pub name: String,
    /// The version that the machine is to state, as the vendor writes it; none if that is not known.
    pub version: Option<String>,
}

object_json!(Level { build, from, name, version });

/// A condition on the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gate {
    /// The build (third number) of a version held by a registry value is one of the manifest's `builds`, if it has any.
    RegistryBuild {
        /// The key.
        key: RegistryKey,
        /// The value's name.
        value: String,
        /// The roles it is for.
        roles: Vec<Role>,
        /// What to tell the admin where the value is missing or wrong.
        remedy: String,
    },
    /// A registry value is one of a few.
    RegistryOneOf {
        /// The key.
        key: RegistryKey,
        /// The value's name.
        value: String,
        /// The roles it is for.
        roles: Vec<Role>,
        /// What it may be, as text.
        one_of: Vec<String>,
        /// What to tell the admin where it is another.
        remedy: String,
    },
    /// A registry value names the machine on which a part of the product is: this one or another.
    RegistryMachine {
        /// The key.
        key: RegistryKey,
        /// The value's name.
        value: String,
        /// The key of the value that names this machine.
        own_key: RegistryKey,
        /// Its name.
        own_value: String,
        /// Roles that are that part: where the value names another machine the role is wrong here.
        here: Vec<Role>,
        /// Roles for which that part is something to be updated as well where it is on another machine.
        elsewhere: Vec<Role>,
        /// What to tell the admin then; `{machine}` stands for that machine.
        remedy: String,
    },
    /// No rename that waits for the next start of the system names a file of the update.
    PendingRenames {
        /// The key.
        key: RegistryKey,
        /// The value's name.
        value: String,
        /// The roles it is for.
        roles: Vec<Role>,
        /// What to tell the admin.
        remedy: String,
    },
}

tagged_json!(Gate by "gate" {
    "registry-build" = RegistryBuild { key, value, roles, remedy },
    "registry-one-of" = RegistryOneOf { key, value, roles, one_of, remedy },
    "registry-machine" = RegistryMachine { key, value, own_key, own_value, here, elsewhere, remedy },
    "pending-renames" = PendingRenames { key, value, roles, remedy },
});

impl Gate {
    /// Tells whether the condition is one on this role.
    pub fn is_for(&self, role: &Role) -> bool {
        match self {
            Self::RegistryBuild { roles, .. }
            | Self::RegistryOneOf { roles, .. }
            | Self::PendingRenames { roles, .. } => roles.contains(role),
            Self::RegistryMachine { here, elsewhere, .. } => here.contains(role) || elsewhere.contains(role),
        }
    }

    /// Returns the key and the name of the value that it is about.
    pub fn place(&self) -> (&RegistryKey, &str) {
        match self {
            Self::RegistryBuild { key, value, .. }
            | Self::RegistryOneOf { key, value, .. }
            | Self::RegistryMachine { key, value, .. }
            | Self::PendingRenames { key, value, .. } => (key, value),
        }
    }
}

/// A part that a target may play.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleEntry {
    /// Its name on the command line.
    pub role: Role,
    /// Its name for people.
    pub title: String,
    /// The usual folder, for people.
    pub usual: String,
    /// Where a machine's registry states the folder; none if no value is known that does.
    pub installed: Option<InstalledAt>,
    /// Folders that a target has which plays another part.
    pub lacks: Vec<TargetPath>,
    /// Roles that must have been updated before.
    pub after: Vec<Role>,
    /// Services to stop, in this order; they are started again in reverse order.
    pub services: Vec<ServiceEntry>,
    /// Programs that must be closed where they have a file of the target loaded.
    pub programs: Vec<String>,
    /// What else to do by hand before, in words.
    pub before: Vec<String>,
}

object_json!(RoleEntry { role, title, usual, installed, lacks, after, services, programs, before });

/// A registry value that states the folder in which a part of the product is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstalledAt {
    /// The key.
    pub key: RegistryKey,
    /// The value's name.
    pub value: String,
}

object_json!(InstalledAt { key, value });

impl fmt::Display for InstalledAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} '{}'", self.key, self.value)
    }
}

/// A service that holds the files of a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceEntry {
    /// The key name, not the display name.
    pub service: String,
    /// Whether a machine may lack it.
    pub optional: bool,
    /// Every service whose name begins with this is meant too.
    pub prefix: Option<String>,
    /// Names of the files that it holds; none: any file of the role.
    pub holds: Vec<TargetPath>,
}

object_json!(ServiceEntry { service, optional, prefix, holds });

impl ServiceEntry {
    /// Tells whether this entry means the service of that key name.
    pub fn means(&self, name: &str) -> bool {
        let begins =
            |prefix: &String| name.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix));
        name.eq_ignore_ascii_case(&self.service) || self.prefix.as_ref().is_some_and(begins)
    }

    /// Tells whether it holds the file of that name.
    pub fn holds(&self, file: &TargetPath) -> bool {
        self.holds.is_empty() || self.holds.iter().any(|held| held.folded() == file.folded())
    }
}

/// A set of updates that a next step needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadySet {
    /// Its name on the command line.
    pub set: String,
    /// What it makes ready for.
    pub title: String,
    /// What is needed, by build.
    pub needs: Vec<Need>,
    /// What to wait for afterwards.
    pub wait: Option<Wait>,
}

object_json!(ReadySet { set, title, needs, wait });

/// Updates that machines of a build need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// The build.
    pub build: u16,
    /// The updates.
    pub updates: Vec<UpdateId>,
}

object_json!(Need { build, updates });

/// A file that the product writes anew once an update is installed, somewhere else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// The updates that it follows.
    pub updates: Vec<UpdateId>,
    /// The file, below a folder that the admin names.
    pub file: TargetPath,
    /// What to tell the admin.
    pub remedy: String,
}

object_json!(Wait { updates, file, remedy });

/// Where an installed update is recorded in the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The key; `{level}` stands for the name of the release that the machine states.
    pub key: String,
    /// The values: texts in which `{date}` stands for the day of the run.
    pub values: Vec<RegistrationValue>,
}

object_json!(Registration { key, values });

/// A value of a registration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrationValue {
    /// Its name.
    pub name: String,
    /// What it is set to.
    pub text: String,
}

object_json!(RegistrationValue { name, text });

impl Registration {
    /// Returns the key on a machine of this release; none if there can be no such key.
    pub fn key(&self, level: &Level) -> Option<RegistryKey> {
        self.key.replace("{level}", &level.name).parse().ok()
    }
}

/// Something that an admin does by hand around an update: shown in plan and result, never run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManualStep {
    /// When.
    pub when: Moment,
    /// The roles whose admin does it.
    pub roles: Vec<Role>,
    /// What to do.
    pub text: String,
}

object_json!(ManualStep { when, roles, text });

/// Before or after the files are replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Before.
    Before,
    /// After.
    After,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_facts_know_the_releases() {
        let product = Product::built_in();
        let level = |text: &str| product.level(text.parse().unwrap()).map(|level| level.name.as_str());
        assert_eq!(level("2.00.1239.0000"), Some("SP0"));
        assert_eq!(level("2.00.1380.1000"), Some("SP1"));
        assert_eq!(level("2.00.1493.2157"), Some("SP2"));
        assert_eq!(level("2.00.1493.3213"), Some("SP3"));
        assert_eq!(level("2.00.1400.0"), None);
        assert_eq!(product.first_level(1380).unwrap().version.as_deref(), Some("2.00.1380.1000"));
    }

    #[test]
    fn a_service_is_meant_by_its_name_or_its_prefix() {
        let entry = ServiceEntry {
            service: "SMS_SQL_MONITOR".to_owned(),
            optional: true,
            prefix: Some("SMS_SQL_MONITOR_".to_owned()),
            holds: Vec::new(),
        };
        for (name, is_meant) in [
            ("sms_sql_monitor", true),
            ("SMS_SQL_MONITOR_SITE1", true),
            ("SMS_SQL_MONITORS", false),
            ("SMS", false),
        ] {
            assert_eq!(entry.means(name), is_meant, "{name}");
        }
    }
}
