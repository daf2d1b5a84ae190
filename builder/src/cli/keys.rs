//! Keys and passwords from the command line: files, folders, and the terminal.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use qfe_patcher::cli::failure::Failure;
use qfe_patcher::exit::ExitCode;

use super::{ReadError, read_text, sign_failure};
use crate::sign::{self, SigningKey};

/// Largest key or password file.
const MAX_KEY: u64 = 16 << 10;

/// Sees to it that no core file, and no other process of this user, gets what this process reads from now on.
///
/// Windows writes dumps of processes only where an administrator asks for them.
pub(super) fn keep_to_itself() -> Result<(), Failure> {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let refused = |error: rustix::io::Errno| {
            let message =
                format!("core files, which would hold secret keys, cannot be switched off: {error}");
            Failure::new(ExitCode::AccessDenied, message)
                .hint("run it where a process may lower its own limits")
        };
        setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }).map_err(refused)?;
        // A limit of 0 does not keep a core from a program that takes all cores.
        #[cfg(target_os = "linux")]
        rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)
            .map_err(refused)?;
    }
    Ok(())
}

/// Reads the first line of a password file.
pub(super) fn password(path: &Path) -> Result<String, Failure> {
    let text = read_text(path, MAX_KEY)?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// Reads secret keys; what is locked is opened with the password files, or with what a terminal answers.
pub(super) fn signing_keys(
    paths: &[PathBuf],
    password_files: &[PathBuf],
) -> Result<Vec<SigningKey>, Failure> {
    keep_to_itself()?;
    let passwords = password_files.iter().map(|path| password(path)).collect::<Result<Vec<_>, _>>()?;
    let key = |path: &PathBuf| {
        let name = path.display().to_string();
        let text = read_text(path, MAX_KEY)?;
        let mut passwords = passwords.clone();
        if passwords.is_empty() && sign::is_locked(&name, &text).map_err(sign_failure)? && on_terminal() {
            passwords.push(ask(&format!("Password of {name}: "))?);
        }
        SigningKey::read(&name, &text, &passwords).map_err(sign_failure)
    };
    let keys = paths.iter().map(key).collect::<Result<Vec<_>, _>>()?;
    sign::key_ring(&keys).map_err(sign_failure)?;
    Ok(keys)
}

/// Tells whether there is somebody to ask.
pub(super) fn on_terminal() -> bool {
    io::stdin().is_terminal()
}

/// Asks for a password.
pub(super) fn ask(prompt: &str) -> Result<String, Failure> {
    rpassword::prompt_password(prompt).map_err(|source| {
        Failure::new(ExitCode::Untrusted, ReadError { path: "the password".to_owned(), source })
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use rustix::process::{DumpableBehavior, Resource, dumpable_behavior, getrlimit};

    use super::*;

    #[test]
    fn whoever_reads_keys_leaves_no_core() {
        assert!(signing_keys(&["no such key".into()], &[]).is_err());
        assert_eq!(getrlimit(Resource::Core).current, Some(0));
        assert_eq!(dumpable_behavior(), Ok(DumpableBehavior::NotDumpable));
    }
}
