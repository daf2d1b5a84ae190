//! Keys and passwords from the command line: files, folders, and the terminal.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use qfe_patcher::cli::failure::Failure;
use qfe_patcher::exit::ExitCode;

use super::{ReadError, read_text, sign_failure};
use crate::sign::{self, SigningKey};

/// Largest key or password file.
const MAX_KEY: u64 = 16 << 10;

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
