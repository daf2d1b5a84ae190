//! `qfe-builder sign --detached`: a signature beside a file, as `minisign -S` makes it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use qfe_patcher::cli::failure::Failure;
use qfe_patcher::json::object;

use super::{Answer, MAX_BUNDLE, read_file, refuse, sign_failure, write_file};
use crate::sign::SigningKey;

/// Signs any file and writes the signature beside it, in the place of a former one.
pub(super) fn sign(path: &Path, key: &SigningKey) -> Result<Answer, Failure> {
    let file = path.display().to_string();
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    if name.is_empty() || name.chars().any(char::is_control) {
        return Err(refuse(format!("{file:?} has a name that no signature can state")));
    }
    let bytes = read_file(path, MAX_BUNDLE)?;
    let text = key.sign_file(&name, &bytes).map_err(sign_failure)?;
    let signature = beside(path);
    write_file(&signature, text.as_bytes())?;
    let signature = signature.display().to_string();
    Ok(Answer {
        value: object!({ "outcome": "signed", "file": file, "signature": signature, "key_id": key.id() }),
        result: String::new(),
        notes: format!("{signature}: signature of {file} by {}\n", key.id()),
    })
}

/// Returns where minisign looks for the signature of a file.
fn beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".minisig");
    name.into()
}
