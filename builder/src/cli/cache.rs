//! Where the cache of deltas is, and which program uses it.

use std::env;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use qfe_patcher::digest::Digest;

/// Returns the user's own folder for deltas; none where the system has no such place.
pub(super) fn default_folder() -> Option<PathBuf> {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    if cfg!(windows) {
        return absolute("LOCALAPPDATA").map(|folder| folder.join("qfe").join("cache"));
    }
    // The XDG Base Directory Specification: what is not absolute is as if it were not set.
    absolute("XDG_CACHE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
        .map(|caches| caches.join("qfe"))
}

/// Returns the digest of the program that runs.
pub(super) fn this_program() -> io::Result<Digest> {
    // On Linux the file may have been replaced since: this name is always that of what runs.
    let running = "/proc/self/exe";
    let mut file = match File::open(running) {
        Ok(file) if cfg!(target_os = "linux") => file,
        _ => File::open(env::current_exe()?)?,
    };
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(Digest::of(&bytes))
}
