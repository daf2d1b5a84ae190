//! `qfe-builder keygen`.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;

use qfe_patcher::cli::failure::Failure;
use qfe_patcher::host::Trouble;
use qfe_patcher::json::object;

use super::{Answer, keys, refuse, sign_failure};
use crate::sign::NewKey;

/// Makes a key pair in minisign's formats; existing files are never overwritten
///
/// The secret key signs bundles and stays with the release engineer; the public key goes to the administrators. Both
/// are files of stock minisign. Unless --no-password is given, the secret key is protected by a password: the first
/// line of --password-file, or what is typed on the terminal.
///
/// JSON: command, outcome ("made"), code, key_id, secret, public, protected.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  qfe-builder keygen --secret release.key --public release.pub")]
pub(super) struct KeygenArgs {
    /// Where the secret key is written
    #[arg(long, value_name = "KEY")]
    secret: PathBuf,
    /// Where the public key is written
    #[arg(long, value_name = "KEY.pub")]
    public: PathBuf,
    /// Protect the secret key by the first line of this file
    #[arg(long, value_name = "F", conflicts_with = "no_password")]
    password_file: Option<PathBuf>,
    /// Leave the secret key unprotected: for tests, and where the file itself is well kept
    #[arg(long)]
    no_password: bool,
    /// Print one JSON object on standard output
    #[arg(long)]
    pub(super) json: bool,
}

/// A key file that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("{path} cannot be written")]
struct KeyFileError {
    path: String,
    source: std::io::Error,
}

impl KeygenArgs {
    pub(super) fn run(self) -> Result<Answer, Failure> {
        for path in [&self.secret, &self.public] {
            if fs::symlink_metadata(path).is_ok() {
                return Err(exists(path));
            }
        }
        if self.secret == self.public {
            return Err(refuse("--secret and --public name one file, two are wanted"));
        }
        keys::keep_to_itself()?;
        let password = self.password()?;
        let protected = password.is_some();
        let key = NewKey::generate(password).map_err(sign_failure)?;
        write_new(&self.secret, &key.secret, Access::OwnerOnly)?;
        if let Err(failure) = write_new(&self.public, &key.public, Access::Everybody) {
            // A secret key without its public half is of no use, and would be in the way of the next try.
            drop(fs::remove_file(&self.secret));
            return Err(failure);
        }
        let (secret, public) = (self.secret.display().to_string(), self.public.display().to_string());
        Ok(Answer {
            notes: format!("key {}: secret half in {secret}, public half in {public}\n", key.id),
            result: String::new(),
            value: object!({
                "outcome": "made", "key_id": key.id, "secret": secret, "public": public, "protected": protected,
            }),
        })
    }

    /// Returns the password to protect the key with, if it is to have one.
    fn password(&self) -> Result<Option<String>, Failure> {
        let hint = "use --no-password to leave the key unprotected";
        let password = match (&self.password_file, self.no_password) {
            (_, true) => return Ok(None),
            (Some(path), false) => keys::password(path)?,
            (None, false) if keys::on_terminal() => {
                let password = keys::ask("Password for the new key: ")?;
                if keys::ask("The same again: ")? != password {
                    return Err(refuse("the two passwords differ"));
                }
                password
            }
            (None, false) => {
                let failure = refuse("a password is wanted, and there is no terminal to ask for one");
                return Err(failure.hint("name a file that holds it by --password-file").hint(hint));
            }
        };
        if password.is_empty() {
            return Err(refuse("the password is empty").hint(hint));
        }
        Ok(Some(password))
    }
}

fn exists(path: &Path) -> Failure {
    refuse(format!("{} exists already; keys are never overwritten", path.display()))
        .hint("name another file, or move the old key away")
}

/// Who may read a file.
#[derive(Clone, Copy, PartialEq)]
enum Access {
    OwnerOnly,
    Everybody,
}

/// Writes a file that must not exist yet.
fn write_new(path: &Path, text: &str, access: Access) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if access == Access::OwnerOnly {
        // From the start, so that nobody can open it in between.
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    #[cfg(not(unix))]
    let (Access::OwnerOnly | Access::Everybody) = access;
    let written = options.open(path).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|source| {
        if source.kind() == std::io::ErrorKind::AlreadyExists {
            return exists(path);
        }
        let code = Trouble::of(&source).into();
        Failure::new(code, KeyFileError { path: path.display().to_string(), source })
    })
}
