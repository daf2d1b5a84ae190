//! Machines in memory that a small update is applied to, taken back from, and recovered on.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use qfe_patcher::host::{ComServers, ForeignLock, Memory, ServiceState};
use qfe_patcher::registry::{RegistryKey, RegistryValue};
use qfe_patcher::timestamp::utc;
use qfe_patcher::update::apply::{Applied, Apply, ApplyError, Backends};
use qfe_patcher::update::contention::{Contention, InUse};
use qfe_patcher::update::order::Proof;
use qfe_patcher::update::plan::{Control, Downgrade, Request, Services, UnknownFiles, decide};
use qfe_patcher::update::recover::{Recovered, recover};
use qfe_patcher::update::rollback::{RollbackError, rollback};
use qfe_patcher::update::target::TargetRoot;
use qfe_patcher::update::{Event, Observer, UpdateError, facts};

use crate::samples::{Files, Tiny};

/// The server's folder.
pub const ROOT: &str = "/sms";
/// The platforms.
pub const PLATFORMS: [&str; 2] = ["i386", "alpha"];

struct Silent;

impl Observer for Silent {
    fn tell(&mut self, _event: &Event<'_>) {}
}

/// What must be all old or all new: the product's files with their times, its services, registry and COM servers.
#[derive(Clone, PartialEq, Eq)]
pub struct Product {
    files: BTreeMap<PathBuf, (Vec<u8>, SystemTime)>,
    services: BTreeMap<String, String>,
    values: BTreeMap<String, BTreeMap<String, RegistryValue>>,
    com_servers: BTreeSet<PathBuf>,
}

impl fmt::Debug for Product {
    /// Shows the end of each file, which tells its age.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = |bytes: &[u8]| {
            String::from_utf8_lossy(bytes.rsplit(|b| *b == b'=').next().unwrap_or_default()).into_owned()
        };
        let files = self
            .files
            .iter()
            .map(|(path, (bytes, time))| (path.display().to_string(), (end(bytes), utc(*time))));
        let keys = self.values.iter().map(|(key, values)| (key.clone(), format!("{values:?}")));
        let servers = self.com_servers.iter().map(|path| (path.display().to_string(), "registered"));
        f.debug_map().entries(files).entries(&self.services).entries(keys).entries(servers).finish()
    }
}

impl Product {
    /// Looks at a machine.
    pub fn of(machine: &Memory) -> Self {
        let bin = Path::new(ROOT).join("Bin");
        let files = machine.tree().into_iter().filter(|(path, _)| path.starts_with(&bin));
        let services = machine.services().into_iter().map(|(name, state)| (name, format!("{state:?}")));
        Self {
            files: files.filter_map(|(path, file)| Some((path, file?))).collect(),
            services: services.collect(),
            values: machine.values(),
            com_servers: machine.com_servers(),
        }
    }
}

impl Product {
    /// Returns the files alone: what services are after a failure is settled by recovery at the latest.
    pub fn files(&self) -> &BTreeMap<PathBuf, (Vec<u8>, SystemTime)> {
        &self.files
    }
}

/// Returns a site server with these files, two of its services running and one stopped.
pub fn server(platform: &str, files: &Files) -> Memory {
    let machine = Memory::new(Path::new(ROOT));
    for (name, bytes) in files {
        machine.put(&file(platform, name), bytes);
    }
    machine.put(&Path::new(ROOT).join("LOGS/sms.log"), b"log");
    machine.put_service("SMS_SITE_COMPONENT_MANAGER", ServiceState::Running);
    machine.put_service("SMS_EXECUTIVE", ServiceState::Running);
    machine.put_service("SMS_SQL_MONITOR", ServiceState::Stopped);
    machine.put_dependent_service("SMS_NT_LOGON", ServiceState::Running, &["SMS_EXECUTIVE"]);
    machine.put_value(&setup_key(), "Full Version", RegistryValue::text("2.00.1380.1000"));
    machine.put_value(&setup_key(), "Type", RegistryValue::number(1));
    machine.register(&file(platform, "Two.ini")).expect("it is there");
    machine
}

/// Returns the key of the product's own values.
pub fn setup_key() -> RegistryKey {
    r"HKLM\SOFTWARE\Microsoft\SMS\Setup".parse().expect("it is a key")
}

/// Returns the path of a file of the product.
pub fn file(platform: &str, name: &str) -> PathBuf {
    Path::new(ROOT).join("Bin").join(platform).join(name)
}

fn contention(in_use: InUse) -> Contention {
    Contention {
        patience: Duration::ZERO,
        service_patience: Duration::from_secs(2),
        foreign_lock: ForeignLock::Respect,
        in_use,
    }
}

/// Applies an update, its services stopped and started; where files are in use, at the restart.
pub fn run_apply(machine: &Memory, update: &Tiny) -> Result<Applied, ApplyError> {
    let target = TargetRoot::open(machine, Path::new(ROOT)).expect("looking does not fail");
    let mut bundle = update.open();
    let request = Request {
        role: "site-server".parse().expect("it is a role"),
        platform: None,
        variant: None,
        assumed_build: None,
        unknown: UnknownFiles::Refuse,
        services: Services::Controlled,
        registry: Control::Change,
        com_servers: Control::Change,
        proof: Proof::Nowhere,
        trust: Some(bundle.verified().trust().clone()),
        downgrade: Downgrade::Refuse,
    };
    let facts = facts::gather(machine, target, bundle.manifest(), &request).expect("looking does not fail");
    let plan = decide(bundle.manifest(), &facts, &request).expect("the update fits");
    let contention = contention(InUse::Schedule);
    let apply = Apply {
        target,
        bundle: &mut bundle,
        request: &request,
        states: &facts.states,
        plan: &plan,
        source: Path::new("tiny.zip"),
        backends: &Backends::default(),
        contention: &contention,
    };
    apply.run(machine, &mut Silent)
}

/// Rolls back what was installed last.
pub fn run_rollback(machine: &Memory) -> Result<(), RollbackError> {
    let target = TargetRoot::open(machine, Path::new(ROOT)).expect("looking does not fail");
    rollback(machine, target, None, &contention(InUse::Refuse), &mut Silent).map(drop)
}

/// Recovers.
pub fn run_recover(machine: &Memory) -> Result<Vec<Recovered>, UpdateError> {
    let target = TargetRoot::open(machine, Path::new(ROOT)).expect("looking does not fail");
    recover(machine, target, &contention(InUse::Refuse), &mut Silent)
}
