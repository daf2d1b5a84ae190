//! The order rule: roles that come after others need proof that those were updated.

use std::path::PathBuf;

use super::UpdateError;
use super::facts::gather;
use super::plan::{Decision, Finding, Request, decide};
use super::receipt::{MAX_RECEIPT, Receipt};
use super::target::TargetRoot;
use crate::bundle::manifest::Manifest;
use crate::bundle::product::RoleEntry;
use crate::host::Host;
use crate::json;
use crate::name::Role;

/// Where the proof is that the machines which come first were updated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// It is not said.
    Nowhere,
    /// A receipt from one of them.
    Receipt(PathBuf),
    /// The folder of one of them, every file of which is looked at.
    Folder(PathBuf),
}

/// What a proof came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proven {
    /// The role comes after none.
    NotNeeded,
    /// There was none to look at.
    Missing,
    /// It proves what it should; in words.
    Yes(String),
    /// It does not; what was found.
    No(String),
}

/// Looks at the proof that a role needs.
pub(super) fn look(
    host: &dyn Host,
    manifest: &Manifest,
    role: &RoleEntry,
    request: &Request,
) -> Result<Proven, UpdateError> {
    if role.after.is_empty() {
        return Ok(Proven::NotNeeded);
    }
    match &request.proof {
        Proof::Nowhere => Ok(Proven::Missing),
        Proof::Receipt(path) => {
            let bytes = host.read(path, MAX_RECEIPT)?;
            Ok(match json::read::<Receipt>(&bytes) {
                Ok(receipt) => judge(manifest, role, &receipt),
                Err(error) => Proven::No(format!("{}, which is no receipt ({error})", path.display())),
            })
        }
        Proof::Folder(path) => {
            let target = TargetRoot::open(host, path)?;
            let mut refuted = Proven::Missing;
            for after in &role.after {
                match judge_folder(host, manifest, after, request, target)? {
                    proven @ Proven::Yes(_) => return Ok(proven),
                    other => refuted = other,
                }
            }
            Ok(refuted)
        }
    }
}

fn judge(manifest: &Manifest, role: &RoleEntry, receipt: &Receipt) -> Proven {
    let Receipt { id, revision, role: of, installed_at, .. } = receipt;
    let found = format!("a receipt of {id} revision {revision} in the role {of}, {installed_at}");
    if *id == manifest.id && role.after.contains(of) && *revision >= manifest.revision {
        Proven::Yes(found)
    } else {
        Proven::No(found)
    }
}

/// Plans the update for that folder: where nothing is left to do, it is updated, by whomever.
fn judge_folder(
    host: &dyn Host,
    manifest: &Manifest,
    role: &Role,
    request: &Request,
    target: TargetRoot<'_>,
) -> Result<Proven, UpdateError> {
    let shown = target.path().display();
    let request = Request::to_look_at(role.clone(), request.assumed_build);
    let facts = gather(host, target, manifest, &request)?;
    if let Some(state) = facts.states.iter().find(|state| state.is_interrupted()) {
        return Ok(Proven::No(format!("{shown}, in which a run of {} was interrupted", state.id)));
    }
    Ok(match decide(manifest, &facts, &request) {
        Ok(plan) => {
            let old: Vec<String> = plan.changes().map(|step| step.to.to_string()).collect();
            let is_odd = |decision: &Decision| *decision == Decision::SameVersion;
            let odd = plan.steps.iter().filter(|step| is_odd(&step.decision)).map(|step| step.to.to_string());
            let left: Vec<String> = old.into_iter().chain(odd).collect();
            match left.len() {
                0 => Proven::Yes(format!("every file of the update in {shown} is current")),
                _ => Proven::No(format!("{shown}, where these are not the update's: {}", left.join(", "))),
            }
        }
        Err(findings) => {
            let first = findings.first().map(Finding::to_string).unwrap_or_default();
            Proven::No(format!("{shown}, which the update does not fit ({first})"))
        }
    })
}
