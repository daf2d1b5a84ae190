//! Exit codes: Windows Installer's numbers, which SMS and other deployment tools read ("MsiExec.exe and
//! InstMsi.exe Error Messages", and the system error codes below 1000).

/// How a run ended, as one number.
///
/// On systems whose exit status is one byte the status is the number's low byte ([`ExitCode::status`]); no two
/// of these share one. The whole number is in the JSON result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitCode {
    /// Done, or everything already "or later".
    Success = 0,
    /// Access denied, or a read-only target; nothing was changed.
    AccessDenied = 5,
    /// A file is in use; nothing was changed.
    InUse = 32,
    /// The disk is full; nothing was changed.
    DiskFull = 112,
    /// Cancelled by the user.
    Cancelled = 1602,
    /// Failed; what had been changed was rolled back.
    Failed = 1603,
    /// Not installed (rollback asked).
    NotInstalled = 1605,
    /// Another run holds the target.
    Busy = 1618,
    /// The bundle cannot be opened or read.
    BundleUnreadable = 1619,
    /// The bundle is malformed.
    BundleMalformed = 1620,
    /// The log cannot be written.
    LogUnwritable = 1622,
    /// Signature, policy or downgrade refusal.
    Untrusted = 1625,
    /// Rollback itself failed.
    RollbackFailed = 1627,
    /// Wrong platform.
    WrongPlatform = 1633,
    /// A delta is invalid.
    DeltaInvalid = 1636,
    /// A newer patcher is needed.
    NewerPatcher = 1637,
    /// Bad command line.
    BadCommandLine = 1639,
    /// Wrong target: version, type, role, unknown old file.
    WrongTarget = 1642,
    /// Undo would break the order of updates.
    UndoOrder = 1649,
    /// Done; a restart is needed.
    RestartNeeded = 3010,
}

impl ExitCode {
    /// Every code, in the order of its number.
    pub const ALL: [Self; 20] = [
        Self::Success,
        Self::AccessDenied,
        Self::InUse,
        Self::DiskFull,
        Self::Cancelled,
        Self::Failed,
        Self::NotInstalled,
        Self::Busy,
        Self::BundleUnreadable,
        Self::BundleMalformed,
        Self::LogUnwritable,
        Self::Untrusted,
        Self::RollbackFailed,
        Self::WrongPlatform,
        Self::DeltaInvalid,
        Self::NewerPatcher,
        Self::BadCommandLine,
        Self::WrongTarget,
        Self::UndoOrder,
        Self::RestartNeeded,
    ];

    /// Returns the word for how a run ended that ended with an error: it was refused, or it failed.
    pub fn word(self) -> &'static str {
        match self {
            Self::Success | Self::RestartNeeded => "done",
            Self::AccessDenied
            | Self::InUse
            | Self::DiskFull
            | Self::Failed
            | Self::BundleUnreadable
            | Self::LogUnwritable
            | Self::RollbackFailed => "failed",
            Self::Cancelled
            | Self::NotInstalled
            | Self::Busy
            | Self::BundleMalformed
            | Self::Untrusted
            | Self::WrongPlatform
            | Self::DeltaInvalid
            | Self::NewerPatcher
            | Self::BadCommandLine
            | Self::WrongTarget
            | Self::UndoOrder => "refused",
        }
    }

    /// Returns the number.
    pub fn number(self) -> u16 {
        self as u16
    }

    /// Returns the exit status of the process: the number on Windows, its low byte elsewhere.
    pub fn status(self) -> i32 {
        let number = i32::from(self.number());
        if cfg!(windows) { number } else { number & 0xff }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_codes_share_a_low_byte() {
        let bytes: BTreeSet<u16> = ExitCode::ALL.iter().map(|code| code.number() & 0xff).collect();
        assert_eq!(bytes.len(), ExitCode::ALL.len());
    }
}
