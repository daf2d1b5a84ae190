//! `qfe-builder build --check`: a bundle against what the recipe builds.

use std::collections::BTreeSet;
use std::io::Cursor;
use std::path::Path;

use qfe_patcher::bundle::container::Container;
use qfe_patcher::bundle::container::program::Program;
use qfe_patcher::bundle::keyring::{KeyRing, RING_FOLDER};
use qfe_patcher::bundle::manifest::{MANIFEST_NAME, MAX_MEMBER};
use qfe_patcher::bundle::{Bundle, BundleError, SIGNATURE_FOLDER};
use qfe_patcher::cli::failure::Failure;
use qfe_patcher::digest::Digest;
use qfe_patcher::exit::ExitCode;
use qfe_patcher::json::object;
use qfe_patcher::target_path::TargetPath;

use super::super::{Answer, MAX_BUNDLE, keyring, read_file, refuse};
use super::{BuildArgs, prefix_failure};
use crate::article::page::PAGE_NAME;
use crate::build::Built;
use crate::ring;

impl BuildArgs {
    /// Holds a bundle against what was built, and what stands before the zip of an exe against stub and key ring.
    pub(super) fn check(&self, path: &Path, built: Built) -> Result<Answer, Failure> {
        let bundle = path.display().to_string();
        let theirs = read_file(path, MAX_BUNDLE)?;
        if !theirs.starts_with(b"MZ") {
            if let Some(option) =
                self.keys.as_ref().map(|_| "--keys").or(self.stub.as_ref().map(|_| "--stub"))
            {
                return Err(refuse(format!("{option} is given, and {bundle} is no self-extracting bundle"))
                    .hint(format!("drop {option}: with --check it is for what such a bundle carries")));
            }
            return compare_members(bundle, theirs, built, "");
        }
        let program = Program::read(&mut Cursor::new(&theirs)).map_err(BundleError::from)?;
        let stub = self.stub()?;
        let found = usize::try_from(program.size).ok().and_then(|size| theirs.get(..size)).unwrap_or(&theirs);
        let mut parts = vec![("the program", contents(found), contents(&stub))];
        let mut more = ", and the program; the key ring in it was not looked at (--keys does)";
        if let Some(keys) = &self.keys {
            let (wanted, _) = keyring::followed(keys)?;
            // As it is written there: with the keys in it.
            let wanted = ring::text(&wanted).and_then(|text| KeyRing::new([], Some(&text)));
            let wanted = wanted.map_err(|error| prefix_failure(error.into()))?;
            let found = program.ring.as_deref().map(|text| {
                let text = std::str::from_utf8(text).ok();
                text.and_then(|text| KeyRing::new([], Some(text)).ok())
            });
            let shown = match &found {
                Some(Some(found)) if ring::is_alike(found, &wanted) => ring::words(&wanted),
                Some(Some(found)) => ring::words(found),
                Some(None) => "none that can be read".to_owned(),
                None => "absent".to_owned(),
            };
            parts.push(("the key ring in the program", shown, ring::words(&wanted)));
            more = ", the program and the key ring in it";
        }
        for (name, found, wanted) in parts {
            if found != wanted {
                let error = Differs { bundle, name: name.to_owned(), found, wanted };
                return Err(Failure::new(ExitCode::Untrusted, error)
                    .hint("do not sign it; if it was built with another --stub or --keys, use the same"));
            }
        }
        compare_members(bundle, theirs, built, more)
    }
}

/// A bundle that the recipe does not build.
#[derive(Debug, thiserror::Error)]
#[error("{bundle}: {name} is {found}, wanted is {wanted}")]
struct Differs {
    bundle: String,
    name: String,
    found: String,
    wanted: String,
}

/// Holds every member of a bundle, but signatures and key rings, against what was built; nothing of it is believed.
fn compare_members(bundle: String, theirs: Vec<u8>, built: Built, more: &str) -> Result<Answer, Failure> {
    let mut theirs = Bundle::open(Cursor::new(theirs))?.into_container();
    let mut ours = Bundle::open(Cursor::new(built.bytes))?.into_container();
    let is_built = |name: &&TargetPath| {
        !name.as_str().starts_with(SIGNATURE_FOLDER) && !name.as_str().starts_with(RING_FOLDER)
    };
    let names: BTreeSet<TargetPath> =
        theirs.members().chain(ours.members()).filter(is_built).cloned().collect();
    // Manifest and article tell of every other member, so they differ wherever one does: the member tells more.
    let (telling, members): (Vec<_>, Vec<_>) =
        names.iter().partition(|name| [MANIFEST_NAME, PAGE_NAME].contains(&name.as_str()));
    for name in members.into_iter().chain(telling.into_iter().rev()) {
        let shown = |container: &mut Container| -> Result<String, Failure> {
            if !container.contains(name) {
                return Ok("absent".to_owned());
            }
            let bytes = container.read(name, MAX_MEMBER).map_err(BundleError::from)?;
            Ok(contents(&bytes))
        };
        let (found, wanted) = (shown(&mut theirs)?, shown(&mut ours)?);
        if found != wanted {
            let error = Differs { bundle, name: format!("member {name}"), found, wanted };
            return Err(Failure::new(ExitCode::Untrusted, error).hint(
                "do not sign it; if it was built with --lean or --codec, or by another version of qfe-builder, use the same",
            ));
        }
    }
    let count = names.len();
    let notes =
        format!("{bundle}: what the recipe builds, {count} members{more}; signatures were not looked at\n");
    let value = object!({
        "outcome": "same",
        "id": built.manifest.id,
        "revision": built.manifest.revision,
        "bundle": bundle,
        "members": names.len(),
    });
    Ok(Answer { value, result: String::new(), notes })
}

/// Says what bytes are, by size and digest.
fn contents(bytes: &[u8]) -> String {
    format!("{} bytes with digest {}", bytes.len(), Digest::of(bytes))
}
