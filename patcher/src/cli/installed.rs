//! What a line means that does not name its target: where this machine's registry states that the product is.

use std::path::{Path, PathBuf};

use super::console::Console;
use super::failure::Failure;
use super::machine::{MachineArgs, bad_command};
use super::own;
use crate::bundle::product::RoleEntry;
use crate::exit::ExitCode;
use crate::host::{Machine, RegistryAt, ServicesAt};
use crate::name::Role;
use crate::update::installed::{Unclear, choose, look};

/// What helps wherever the line does not say enough.
const HINT: &str = "name the folder by --target, and the part it plays by --role";

/// A target with the part that it plays.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) role: Role,
    pub(super) target: PathBuf,
    /// How they became known, where the line does not name both.
    pub(super) note: Option<String>,
}

impl Part {
    /// Tells people how it became known.
    pub(super) fn tell(&self, console: &Console) {
        self.note.iter().for_each(|note| console.say(format!("  note: {note}")));
    }
}

/// Returns the part that is meant, of those that a product has.
pub(super) fn part(
    roles: &[RoleEntry],
    role: Option<&Role>,
    target: Option<&Path>,
    machine: &MachineArgs,
) -> Result<Part, Failure> {
    if let (Some(role), Some(target)) = (role, target) {
        return Ok(Part { role: role.clone(), target: target.to_owned(), note: None });
    }
    if !machine.is_own() {
        return Err(bad_command(
            "the target is not named, and --registry or --services are those of another machine",
        )
        .hint(HINT));
    }
    let registry = Machine::open(&ServicesAt::Nobody, &RegistryAt::Local, &None)?;
    let installed = look(&registry, roles)?;
    let part = choose(roles, &installed, role, target).map_err(unclear)?;
    let note = format!("{} in {}, as {} of this machine states", part.role.role, part.folder, part.at);
    let target = target.map_or_else(|| PathBuf::from(&part.folder), Path::to_owned);
    Ok(Part { role: part.role.role.clone(), target, note: Some(note) })
}

/// Returns the target of a command that is given no bundle: as the line names it, or where a part is of the product that
/// this program updates, if it is a bundle, or that is built in.
pub(super) fn target(
    given: Option<&Path>,
    machine: &MachineArgs,
    console: &Console,
) -> Result<PathBuf, Failure> {
    if let Some(target) = given {
        return Ok(target.to_owned());
    }
    let part = part(&own::product().roles, None, None, machine)?;
    part.tell(console);
    Ok(part.target)
}

fn unclear(error: Unclear) -> Failure {
    let code = match error {
        Unclear::Nowhere { .. } | Unclear::NoFolder { .. } => ExitCode::WrongTarget,
        Unclear::Several { .. } => ExitCode::BadCommandLine,
    };
    Failure::new(code, error).hint(HINT)
}
