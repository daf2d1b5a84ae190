//! Key rings from the disk: a public key file, a `keyring.toml`, or a folder with either.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::bundle::keyring::{Chain, KeyRing, MAX_RING, RING_FILE, RING_FOLDER, part_of_chain};
use crate::cli::failure::Failure;
use crate::cli::own;
use crate::exit::ExitCode;

/// Loads `--keys` with the later versions of the ring that stand beside it.
pub fn load(path: &Path) -> Result<KeyRing, Failure> {
    Ok(load_first(path)?.follow(&load_chain(path)?)?)
}

/// Loads the later versions that stand beside a ring, in the folder `keyring`; other files there are left alone.
pub fn load_chain(path: &Path) -> Result<Chain, Failure> {
    let folder = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
    // Beside a public key alone, whatever else is in its folder has nothing to do with it.
    if path.is_dir() || has_ending(path, "toml") {
        chain_in(&folder.join(RING_FOLDER.trim_end_matches('/')))
    } else {
        Ok(Chain::default())
    }
}

/// Loads the rings of a folder, with their signatures; none if there is no such folder.
pub fn chain_in(folder: &Path) -> Result<Chain, Failure> {
    let mut chain = Chain::default();
    if !folder.is_dir() {
        return Ok(chain);
    }
    for entry in fs::read_dir(folder).map_err(|error| unreadable(folder, error))? {
        let file = entry.map_err(|error| unreadable(folder, error))?.path();
        let name =
            file.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
        if part_of_chain(&name).is_some() {
            chain.add(&name, read(&file)?.into_bytes())?;
        }
    }
    Ok(chain)
}

/// Loads a minisign public key file, a `keyring.toml`, or a folder with `*.pub` files or `keyring.toml`; or the key ring in
/// the running program.
pub fn load_first(path: &Path) -> Result<KeyRing, Failure> {
    let mut files: Vec<PathBuf> = Vec::new();
    let mut ring = own::ring(path).map(|text| String::from_utf8_lossy(&text).into_owned());
    let is_own = ring.is_some();
    if is_own {
        // Nothing beside the program counts.
    } else if path.is_dir() {
        let entries = fs::read_dir(path).map_err(|error| unreadable(path, error))?;
        for entry in entries {
            let file = entry.map_err(|error| unreadable(path, error))?.path();
            if has_ending(&file, "pub") {
                files.push(file);
            } else if file.file_name().is_some_and(|name| name.eq_ignore_ascii_case(RING_FILE)) {
                // Old media spell names in capitals; two rings could mean two thresholds.
                if ring.replace(read(&file)?).is_some() {
                    let error = format!("{} holds {RING_FILE} twice, ignoring case", path.display());
                    return Err(Failure::new(ExitCode::Untrusted, error).hint("leave one of them there"));
                }
            }
        }
        files.sort();
        if files.is_empty() && ring.is_none() {
            let error = format!("{} holds no public key (*.pub) and no {RING_FILE}", path.display());
            return Err(Failure::new(ExitCode::Untrusted, error).hint("--keys names the vendor's public key"));
        }
    } else if has_ending(path, "toml") {
        ring = Some(read(path)?);
    } else {
        files.push(path.to_owned());
    }
    let mut keys = Vec::new();
    for file in &files {
        keys.push((file.display().to_string(), read(file)?));
    }
    let keys = keys.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    let ring = KeyRing::new(keys, ring.as_deref())?;
    Ok(if is_own { ring.own() } else { ring })
}

fn has_ending(path: &Path, ending: &str) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(ending))
}

fn read(path: &Path) -> Result<String, Failure> {
    // What a device or a pipe gives has no size beforehand.
    let file = fs::File::open(path).map_err(|error| unreadable(path, error))?;
    let mut text = String::new();
    file.take(MAX_RING + 1).read_to_string(&mut text).map_err(|error| unreadable(path, error))?;
    if text.len() as u64 > MAX_RING {
        let error = format!("{} has more than {MAX_RING} bytes, a key file has at most that", path.display());
        return Err(Failure::new(ExitCode::Untrusted, error).hint("--keys names something else than a key"));
    }
    Ok(text)
}

fn unreadable(path: &Path, error: std::io::Error) -> Failure {
    Failure::new(ExitCode::Untrusted, format!("key {} cannot be read: {error}", path.display()))
        .hint("--keys names the vendor's public key file, or a folder of them")
}
