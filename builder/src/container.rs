//! Writers of containers, the counterpart of [`qfe_patcher::bundle::container`].
//!
//! Same contents, same bytes: `manifest.json` comes first, then the signatures, then the key rings, then the other
//! members, each group sorted by name; every time stamp is 1980-01-01, the first that both formats can hold.

use std::collections::BTreeMap;
use std::io::{Seek, Write};

use qfe_patcher::bundle::container::ContainerKind;
use qfe_patcher::bundle::manifest::MANIFEST_NAME;
use qfe_patcher::target_path::TargetPath;

mod cab;
pub mod exe;
pub mod zip;

/// What a bundle holds.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// The bytes of `manifest.json`.
    pub manifest: Vec<u8>,
    /// Signatures, by their name in the container.
    pub signatures: BTreeMap<String, String>,
    /// Key rings and their signatures, by their name in the container.
    pub rings: BTreeMap<String, Vec<u8>>,
    /// The other members.
    pub members: BTreeMap<TargetPath, Vec<u8>>,
}

impl Contents {
    /// Returns name and bytes of every member in the order in which they are written.
    fn entries(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let signatures = self.signatures.iter().map(|(name, text)| (name.as_str(), text.as_bytes()));
        let rings = self.rings.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
        let members = self.members.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
        std::iter::once((MANIFEST_NAME, self.manifest.as_slice()))
            .chain(signatures)
            .chain(rings)
            .chain(members)
    }
}

/// Why a container cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("the {kind} cannot be written")]
pub struct WriteError {
    kind: ContainerKind,
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl WriteError {
    fn new(kind: ContainerKind, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { kind, source: source.into() }
    }
}

/// Writes a container and returns the writer.
///
/// The zip of an exe is written behind what stands in `out` before its position, which is [`exe::prefix`]; positions in it count
/// from the beginning of `out`.
pub fn write<W: Write + Seek>(kind: ContainerKind, contents: &Contents, out: W) -> Result<W, WriteError> {
    match kind {
        ContainerKind::Zip | ContainerKind::Exe => {
            zip::write(contents, out).map_err(|error| WriteError::new(kind, error))
        }
        ContainerKind::Cab => cab::write(contents, out).map_err(|error| WriteError::new(kind, error)),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use qfe_patcher::bundle::container::Container;

    use super::*;

    const KINDS: [ContainerKind; 2] = [ContainerKind::Zip, ContainerKind::Cab];

    fn noise(len: u32) -> Vec<u8> {
        (0..len)
            .flat_map(|n| n.wrapping_mul(0x9e37_79b9).wrapping_mul(n ^ 0x85eb_ca6b).to_le_bytes())
            .collect()
    }

    fn contents() -> Contents {
        let member = |name: &str, bytes: Vec<u8>| (name.parse().unwrap(), bytes);
        Contents {
            manifest: b"{}\n".to_vec(),
            signatures: [("signatures/0B.minisig", "b\n"), ("signatures/0A.minisig", "a\n")]
                .map(|(name, text)| (name.to_owned(), text.to_owned()))
                .into(),
            rings: BTreeMap::new(),
            members: [
                member("i386/Ccm.dll", b"compressible ".repeat(10_000)),
                member("i386/noise.bin", noise(30_000)),
                member("alpha/Ccm.dll", vec![0; 1 << 16]),
                member("alpha/empty.ini", Vec::new()),
                member("deltas/a-b.bsdiff", b"BSDIFF40".to_vec()),
            ]
            .into(),
        }
    }

    fn written(kind: ContainerKind) -> Vec<u8> {
        write(kind, &contents(), Cursor::new(Vec::new())).unwrap().into_inner()
    }

    #[test]
    fn the_patcher_reads_what_is_written() {
        for kind in KINDS {
            let mut container = Container::open(Cursor::new(written(kind))).unwrap();
            assert_eq!(container.kind(), kind);
            assert_eq!(container.members().count(), 8);
            for (name, bytes) in contents().entries() {
                assert_eq!(container.read(&name.parse().unwrap(), 1 << 20).unwrap(), bytes, "{kind}: {name}");
            }
        }
    }

    #[test]
    fn the_same_contents_give_the_same_bytes() {
        for kind in KINDS {
            assert!(written(kind) == written(kind), "{kind}");
        }
    }

    /// Another deflate, such as that of another flate2 backend, changes what every recipe builds.
    #[test]
    fn the_bytes_are_the_reviewed_ones() {
        let digests = KINDS.map(|kind| qfe_patcher::digest::Digest::of(&written(kind)).to_string());
        assert_eq!(
            digests,
            [
                "790d343af026887cc0c487d61390f39099dc2cc6d1c882e6c89649f5e98b8d73",
                "9f6b000f0f49e147132e3bef6ecda55f4279cb5eced317028d1f2f8a417359ab",
            ]
        );
    }

    #[test]
    fn cabextract_and_unzip_make_the_same_files() {
        let mut contents = contents();
        // Blocks with a single distance, and with none.
        for (name, bytes) in
            [("i386/zeros", vec![0; 70_000]), ("i386/one", vec![b'x']), ("i386/b64", noise(20))]
        {
            contents.members.insert(name.parse().unwrap(), bytes);
        }
        contents.members.insert("i386/text".parse().unwrap(), b"RUS741rqn40Vp8PyzEWJxrvoqux0RUS".to_vec());
        let tools: [(ContainerKind, &str, &[&str]); 4] = [
            (ContainerKind::Cab, "cabextract", &["-q", "../bundle"]),
            (ContainerKind::Zip, "unzip", &["-q", "../bundle"]),
            (ContainerKind::Cab, "7z", &["x", "../bundle"]),
            (ContainerKind::Zip, "7z", &["x", "../bundle"]),
        ];
        for (kind, tool, arguments) in tools {
            let temp = tempfile::tempdir().unwrap();
            let bytes = write(kind, &contents, Cursor::new(Vec::new())).unwrap().into_inner();
            std::fs::write(temp.path().join("bundle"), bytes).unwrap();
            let into = temp.path().join("into");
            std::fs::create_dir(&into).unwrap();
            match std::process::Command::new(tool).args(arguments).current_dir(&into).output() {
                Ok(output) => {
                    assert!(output.status.success(), "{tool}: {}", String::from_utf8_lossy(&output.stderr))
                }
                Err(error) => {
                    println!("skipped: {tool} cannot be run ({error})");
                    continue;
                }
            }
            for (name, bytes) in contents.entries() {
                assert!(std::fs::read(into.join(name)).unwrap() == bytes, "{tool}: {name} of the {kind}");
            }
        }
    }

    #[test]
    fn the_manifest_comes_first_then_signatures_then_members_sorted() {
        let mut all = contents();
        all.rings.insert("keyring/2.toml".to_owned(), b"two".to_vec());
        let names: Vec<&str> = all.entries().map(|(name, _)| name).collect();
        assert_eq!(
            names,
            [
                "manifest.json",
                "signatures/0A.minisig",
                "signatures/0B.minisig",
                "keyring/2.toml",
                "alpha/Ccm.dll",
                "alpha/empty.ini",
                "deltas/a-b.bsdiff",
                "i386/Ccm.dll",
                "i386/noise.bin"
            ]
        );
    }
}
