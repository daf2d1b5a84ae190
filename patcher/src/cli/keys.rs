//! `qfe-patcher keys`.

use std::path::{Path, PathBuf};

use super::console::Console;
use super::failure::Failure;
use super::line::Given;
use super::machine::bad_command;
use super::{Done, stage, verify};
use crate::bundle::keyring::{Expiry, Key, KeyRing, RING_FILE, Rule};
use crate::exit::ExitCode;
use crate::host::{Disk, Files, Machine};
use crate::json::{Json, object};

mod load;

pub use load::{chain_in, load, load_chain, load_first};

/// The arguments of `keys`.
#[derive(Debug)]
pub(super) struct KeysArgs {
    bundle: Option<PathBuf>,
    keys: PathBuf,
    update: bool,
}

impl KeysArgs {
    pub(super) fn take(given: &mut Given) -> Result<Self, Failure> {
        Ok(Self {
            bundle: given.path("bundle"),
            keys: given.required_path("keys")?,
            update: given.is_set("update"),
        })
    }
}

pub(super) fn run(mut given: Given, console: &Console) -> Result<Done, Failure> {
    let args = &KeysArgs::take(&mut given)?;
    let mut ring = load(&args.keys)?;
    if let Some(bundle) = &args.bundle {
        ring = ring.follow(verify::open_file(bundle)?.chain()).map_err(crate::bundle::BundleError::from)?;
    }
    show(&ring, console);
    let mut outcome = "done";
    if args.update {
        outcome = if update(&ring, &args.keys)? { "changed" } else { "already-current" };
        let done = if outcome == "changed" { "is now" } else { "was already" };
        console.result(format!("{} {done} {}", args.keys.display(), ring.shown()));
    }
    let edition = ring.edition();
    Ok(Done {
        code: ExitCode::Success,
        json: object!({
            "command": "keys",
            "outcome": outcome,
            "code": ExitCode::Success,
            "key_ring": edition,
            "trusted_by": ring.first(),
            "missing": ring.gap().map(|(missing, _)| missing),
            "issued": ring.issued(),
            "expires": ring.expires(),
            "refuses": ring.expiry() == Expiry::Refuse,
            "keys": Json::list(ring.keys().iter().map(key_json)),
            "rules": Json::list(ring.rules().iter().map(rule_json)),
            "floors": Json::list(ring.floors().iter().map(|floor| {
                object!({"update": floor.update, "revision": floor.revision})
            })),
        }),
    })
}

fn key_json(key: &Key) -> Json {
    object!({"id": key.id, "name": key.name, "from": key.from, "until": key.until, "revoked": key.revoked})
}

fn rule_json(rule: &Rule) -> Json {
    object!({"product": rule.product, "threshold": rule.threshold, "keys": rule.keys})
}

/// Shows a ring, and how it was come by.
fn show(ring: &KeyRing, console: &Console) {
    let mut line = ring.shown();
    for (word, day) in [(", issued", ring.issued()), (", expires", ring.expires())] {
        line.extend(day.map(|day| format!("{word} {day}")));
    }
    console.result(line);
    for rule in ring.rules() {
        let among = if rule.keys.is_empty() { "any".to_owned() } else { rule.keys.join(", ") };
        console.result(format!("  {rule} asks for {} of {among}", rule.threshold));
    }
    for key in ring.keys() {
        let mut line = format!("  {}", ring.name_of(key.id));
        for (word, day) in [(", from", key.from), (", until", key.until)] {
            line.extend(day.map(|day| format!("{word} {day}")));
        }
        line.extend(key.revoked.as_ref().map(|reason| format!(", revoked: {reason}")));
        console.result(line);
    }
    for floor in ring.floors() {
        console.result(format!("  {} from revision {}", floor.update, floor.revision));
    }
    for note in ring.notes() {
        console.result(format!("  note: {note}"));
    }
}

/// Writes the ring in the place of the one that led to it; tells whether it is another.
fn update(ring: &KeyRing, keys: &Path) -> Result<bool, Failure> {
    if ring.is_own() {
        return Err(bad_command("the key ring is in this program, which is not changed")
            .hint("name by --keys where yours is kept"));
    }
    if ring.edition().is_none() {
        return Err(bad_command(format!("{} has no name and version: no ring follows it", keys.display()))
            .hint("get a keyring.toml from the vendor by a way that you trust, and name it by --keys"));
    }
    if ring.first().is_none() {
        return Ok(false);
    }
    let mut path = keys.to_owned();
    if keys.is_dir() {
        let names = Disk.list(keys)?;
        let name = names.iter().find(|name| name.eq_ignore_ascii_case(RING_FILE));
        path.push(name.map_or(RING_FILE, String::as_str));
    }
    let host = Machine::default();
    stage::replace(&host, &path, ring.text().as_bytes(), None)?;
    Ok(true)
}
