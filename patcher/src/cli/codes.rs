//! The one place that says with which code each error ends a program, and what the user can do about it.

use super::failure::Failure;
use crate::bundle::BundleError;
use crate::bundle::container::ContainerError;
use crate::bundle::keyring::{ChainError, KeyRingError, TrustError};
use crate::bundle::manifest::ManifestError;
use crate::exit::ExitCode;
use crate::host::{HostError, Trouble};
use crate::update::apply::ApplyError;
use crate::update::journal::JournalError;
use crate::update::plan::{Finding, FindingKind};
use crate::update::rollback::RollbackError;
use crate::update::state::{StateError, StateErrorKind};
use crate::update::target::{TargetError, TargetErrorKind};
use crate::update::{UpdateError, UpdateErrorKind};

impl From<Trouble> for ExitCode {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::DiskFull => Self::DiskFull,
            Trouble::AccessDenied => Self::AccessDenied,
            Trouble::InUse => Self::InUse,
            Trouble::Busy => Self::Busy,
            Trouble::Other => Self::Failed,
        }
    }
}

fn of_trouble(error: &HostError) -> ExitCode {
    error.trouble().into()
}

fn of_bundle(error: &BundleError) -> ExitCode {
    match error {
        BundleError::Container(ContainerError::Read(_)) => ExitCode::BundleUnreadable,
        BundleError::Chain(ChainError::Name { .. } | ChainError::TooMany { .. }) => ExitCode::BundleMalformed,
        BundleError::Chain(_) | BundleError::Manifest(ManifestError::Trust(_)) => ExitCode::Untrusted,
        BundleError::Manifest(ManifestError::OtherFormat { .. } | ManifestError::UnknownWord { .. }) => {
            ExitCode::NewerPatcher
        }
        BundleError::Delta { .. } | BundleError::WrongResult { .. } => ExitCode::DeltaInvalid,
        BundleError::NoWay { .. } => ExitCode::WrongTarget,
        BundleError::Container(_)
        | BundleError::Manifest(ManifestError::Form(_) | ManifestError::Contradiction(_))
        | BundleError::SignatureText { .. }
        | BundleError::TooManySignatures { .. }
        | BundleError::Unlisted { .. }
        | BundleError::Differs { .. } => ExitCode::BundleMalformed,
    }
}

fn of_target(error: &TargetError) -> ExitCode {
    match error.kind() {
        TargetErrorKind::Host(error) => of_trouble(error),
        TargetErrorKind::NoTarget { .. }
        | TargetErrorKind::Link { .. }
        | TargetErrorKind::WrongKind { .. }
        | TargetErrorKind::Ambiguous { .. }
        | TargetErrorKind::Unsafe(_) => ExitCode::WrongTarget,
    }
}

fn of_state(error: &StateError) -> ExitCode {
    match error.kind() {
        StateErrorKind::Host(error) => of_trouble(error),
        StateErrorKind::NotAFolder { .. } | StateErrorKind::NotAFile { .. } => ExitCode::WrongTarget,
        StateErrorKind::Journal { source, .. } => match source {
            JournalError::OtherFormat { .. } | JournalError::UnknownRecord { .. } => ExitCode::NewerPatcher,
            JournalError::Corrupt { .. } | JournalError::OutOfOrder { .. } => ExitCode::RollbackFailed,
        },
    }
}

fn of_update(error: &UpdateError) -> ExitCode {
    match error.kind() {
        UpdateErrorKind::Host(error) => of_trouble(error),
        UpdateErrorKind::Target(error) => of_target(error),
        UpdateErrorKind::State(error) => of_state(error),
        UpdateErrorKind::Bundle(error) => of_bundle(error),
        UpdateErrorKind::Log(error) => match of_update(error) {
            ExitCode::DiskFull => ExitCode::DiskFull,
            _ => ExitCode::LogUnwritable,
        },
        UpdateErrorKind::NoSpace { .. } => ExitCode::DiskFull,
        UpdateErrorKind::Overtaken => ExitCode::Busy,
        UpdateErrorKind::Journal(_) | UpdateErrorKind::Changed { .. } | UpdateErrorKind::Unwritten { .. } => {
            ExitCode::Failed
        }
        UpdateErrorKind::Backup { .. }
        | UpdateErrorKind::Foreign(_)
        | UpdateErrorKind::JournalLost { .. }
        | UpdateErrorKind::NotRecovered { .. } => ExitCode::RollbackFailed,
    }
}

/// What the user can do about an end with this code; nothing where the message says it.
fn hint(code: ExitCode) -> Option<&'static str> {
    Some(match code {
        ExitCode::AccessDenied => {
            "run as a user who may write there; a read-only share or disk must be made writable"
        }
        ExitCode::InUse => {
            "close the console and stop the services that use the file, then run again; --wait SECONDS waits longer, \
             apply --on-restart (Windows) has all files replaced at the restart"
        }
        ExitCode::DiskFull => {
            "free space on the target's volume: an update needs the size of its files twice over"
        }
        ExitCode::Busy => {
            "wait for the other run to end, then run again; if it ran on another machine that is dead, say so by \
             --break-lock"
        }
        ExitCode::BundleUnreadable => "check the path of the bundle, and the disk or share it is on",
        ExitCode::BundleMalformed => {
            "the bundle was cut off or changed on its way: copy it again from its source"
        }
        ExitCode::Untrusted => "check that --keys names the vendor's key; if it does, do not use this bundle",
        ExitCode::LogUnwritable => {
            "make the log's folder writable: an update without a record is not installed"
        }
        ExitCode::NewerPatcher => "use a newer qfe-patcher",
        ExitCode::RollbackFailed => {
            "do not start the product; see to the cause that the message names, then run `qfe-patcher recover`, \
             or copy the old files back from the backup folder by hand"
        }
        ExitCode::NotInstalled => "`qfe-patcher status` shows what is installed in this folder",
        ExitCode::UndoOrder => {
            "roll later updates back first; what a service pack changed must stay; a file that is only damaged is put \
             right by applying the update again, and can then be rolled back"
        }
        _ => return None,
    })
}

/// The remedy for a ring that has expired.
const NEWER_RING: &str =
    "ask the vendor for a newer key ring, or for a bundle that carries one; if the clock is ahead, set it";

/// How a program comes before a bundle in the right way.
const SELF_EXTRACTING: &str =
    "if a program was put before it by hand: `qfe-builder build --output NAME.exe` does it";

/// Makes a failure with the code's own hint.
fn failure(code: ExitCode, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Failure {
    let failure = Failure::new(code, error);
    match hint(code) {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

impl From<BundleError> for Failure {
    fn from(error: BundleError) -> Self {
        match error {
            BundleError::Manifest(ManifestError::Trust(TrustError::Expired { .. })) => {
                Self::new(ExitCode::Untrusted, error).hint(NEWER_RING)
            }
            BundleError::Container(ContainerError::Before { .. } | ContainerError::Moved { .. }) => {
                failure(of_bundle(&error), error).hint(SELF_EXTRACTING)
            }
            _ => failure(of_bundle(&error), error),
        }
    }
}

impl From<HostError> for Failure {
    fn from(error: HostError) -> Self {
        failure(of_trouble(&error), error)
    }
}

impl From<TargetError> for Failure {
    fn from(error: TargetError) -> Self {
        failure(of_target(&error), error)
    }
}

impl From<UpdateError> for Failure {
    fn from(error: UpdateError) -> Self {
        let code = of_update(&error);
        let is_of_journal = matches!(error.kind(), UpdateErrorKind::State(state)
            if matches!(state.kind(), StateErrorKind::Journal { .. }));
        // The journal is what the files can be put back by: nothing may tempt anybody to remove it.
        if is_of_journal && code == ExitCode::RollbackFailed {
            return Failure::new(code, error).hint(
                "do not start the product and keep the journal; copy the old files back by hand from the \
                 backup folder beside it",
            );
        }
        failure(code, error)
    }
}

impl From<KeyRingError> for Failure {
    fn from(error: KeyRingError) -> Self {
        Self::new(ExitCode::Untrusted, error).hint(
            "--keys names a minisign public key, a folder of them (*.pub), in which keyring.toml may say how many must \
             sign (threshold = 2), or a keyring.toml that holds keys",
        )
    }
}

impl From<ChainError> for Failure {
    fn from(error: ChainError) -> Self {
        Self::new(ExitCode::Untrusted, error).hint(
            "the folder `keyring` beside the key ring holds later versions and their signatures: copy it again from its \
             source, or remove it",
        )
    }
}

impl From<ApplyError> for Failure {
    fn from(error: ApplyError) -> Self {
        let code = match &error {
            ApplyError::Unchanged(error) => of_update(error),
            ApplyError::RolledBack { .. } => ExitCode::Failed,
            ApplyError::Stuck { .. } => ExitCode::RollbackFailed,
        };
        let remedy = match &error {
            ApplyError::RolledBack { source } => hint(of_update(source)),
            ApplyError::Unchanged(_) | ApplyError::Stuck { .. } => None,
        };
        remedy.into_iter().fold(failure(code, error), Failure::hint)
    }
}

impl From<RollbackError> for Failure {
    fn from(error: RollbackError) -> Self {
        let code = match &error {
            RollbackError::NotInstalled { .. } => ExitCode::NotInstalled,
            RollbackError::Order { .. } | RollbackError::Stale { .. } => ExitCode::UndoOrder,
            RollbackError::Unchanged(error) => of_update(error),
            RollbackError::StillInstalled { .. } | RollbackError::Partly { .. } => ExitCode::Failed,
            RollbackError::Stuck { .. } => ExitCode::RollbackFailed,
        };
        let remedy = match &error {
            RollbackError::StillInstalled { source, .. } | RollbackError::Partly { source, .. } => {
                hint(of_update(source))
            }
            _ => None,
        };
        remedy.into_iter().fold(failure(code, error), Failure::hint)
    }
}

impl From<Vec<Finding>> for Failure {
    /// The first kind of finding gives the code; every finding carries its own remedy.
    fn from(findings: Vec<Finding>) -> Self {
        let code = match findings.iter().map(|finding| finding.kind).min() {
            Some(FindingKind::WrongPlatform) => ExitCode::WrongPlatform,
            Some(FindingKind::Untrusted | FindingKind::Downgrade) => ExitCode::Untrusted,
            Some(FindingKind::WrongTarget | FindingKind::Order | FindingKind::UnknownOldFile) | None => {
                ExitCode::WrongTarget
            }
            Some(FindingKind::AwaitsRestart) => ExitCode::Busy,
            Some(FindingKind::NoSpace) => ExitCode::DiskFull,
            Some(FindingKind::InUse) => ExitCode::InUse,
            Some(FindingKind::NoRights) => ExitCode::AccessDenied,
        };
        let mut failure = Self::new(code, "the update does not fit this target; nothing was changed");
        failure.findings = findings;
        failure
    }
}
