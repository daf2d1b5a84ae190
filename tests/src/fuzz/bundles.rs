//! Bundles: containers and manifests; and the archives that a payload comes in.

use std::hint::black_box;
use std::io::{Cursor, Write};

use qfe_builder::container::{Contents, write};
use qfe_builder::sources::Tree;
use qfe_patcher::bundle::Bundle;
use qfe_patcher::bundle::container::{Container, ContainerKind};
use qfe_patcher::bundle::keyring::MAX_RINGS;
use qfe_patcher::bundle::manifest::Manifest;
use qfe_patcher::json::ToJson;
use qfe_patcher::platform::Platform;

use super::Target;
use super::texts::JSON_WORDS;
use fixture::{LZX, cabinet};

#[path = "../../../patcher/src/bundle/container/cab/fixture.rs"]
#[allow(clippy::unwrap_used, reason = "it is written for the unit tests of the patcher")]
mod fixture;

#[path = "../../../patcher/src/bundle/container/program/fixture.rs"]
#[allow(clippy::indexing_slicing, reason = "it is written for the unit tests of the patcher")]
mod program;

/// Most bytes of a member that are wanted.
const LIMIT: u64 = 1 << 20;
/// Most members that are read.
const MEMBERS: usize = 16;

/// What an archive in an archive is called.
const INNER: &str = "Q1.exe";

/// The readers of containers.
pub(super) const CONTAINER: Target = Target {
    name: "container",
    reads: "a container: a zip, alone or behind a program and a key ring, or a cabinet",
    run: container,
    seeds: || {
        let program = behind(&[program::patcher(), program::ring("threshold = 1", 13)].concat());
        let lzx = cabinet(LZX, &[(LZX_BLOCK, 3)], 1);
        let mut unchecked = contained(ContainerKind::Cab);
        without_checksums(&mut unchecked);
        let zip = contained(ContainerKind::Zip);
        vec![zip, contained(ContainerKind::Cab), program, behind(&program::program()), lzx, unchecked]
    },
    words: ARCHIVE_WORDS,
    largest: 32 << 10,
};

/// The reader of manifests.
pub(super) const MANIFEST: Target = Target {
    name: "manifest",
    reads: "a manifest",
    run: manifest,
    seeds: || Vec::new(),
    words: JSON_WORDS,
    largest: 32 << 10,
};

/// The reader of archives with payloads.
pub(super) const SOURCE: Target = Target {
    name: "source",
    reads: "the files of a payload: a zip, a cabinet, a program that carries one, and one in another",
    run: source,
    seeds: || {
        let (zip, mut cab) = (contained(ContainerKind::Zip), contained(ContainerKind::Cab));
        without_checksums(&mut cab);
        let lzx = cabinet(LZX, &[(LZX_BLOCK, 3)], 1);
        let program = |archive: &[u8]| [&program::program(), archive].concat();
        let nested = |archive: &[u8]| {
            let members = [(INNER.parse().expect("it is a name"), archive.to_vec())].into();
            let contents = Contents { members, ..Contents::default() };
            write(ContainerKind::Zip, &contents, Cursor::new(Vec::new()))
                .expect("it can be written")
                .into_inner()
        };
        let programs = [program(&zip), program(&cab), program(&lzx), nested(&cab), nested(&program(&zip))];
        [zip, cab, lzx].into_iter().chain(programs).collect()
    },
    words: ARCHIVE_WORDS,
    largest: 32 << 10,
};

/// Words of zips and cabinets, and of names in them.
const ARCHIVE_WORDS: &[&[u8]] = &[
    b"PK\x01\x02",
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"PK\x06\x06",
    b"PK\x06\x07",
    b"PK\x07\x08",
    b"MZ",
    b"PE\0\0",
    b"QFE-RING",
    b"MSCF",
    b"CK",
    &[0; 4],
    &[255; 2],
    &[255; 4],
    &[255; 8],
    b"\x01\0\x1c\0",
    b"\x08\0",
    b"\x03\x15",
    b"\x03\x0f",
    b"\x01\0",
    b"manifest.json",
    b"signatures/",
    b"keyring/",
    b"\x4b\x15\0\x80",
    b"i386/",
    b"i386\\",
    b"Q1.exe",
    b"../",
    b"\x75\x70",
    b"\x01\x99",
];

fn container(input: &[u8]) {
    if let Ok(mut container) = Container::open(Cursor::new(input.to_vec())) {
        let names: Vec<_> = container.members().take(MEMBERS).cloned().collect();
        for name in names {
            assert!(container.contains(&name), "{name} is a member");
            if let Ok(bytes) = container.read(&name, LIMIT) {
                assert!(bytes.len() as u64 <= LIMIT, "{name} has {} bytes", bytes.len());
            }
        }
    }
    if let Ok(bundle) = Bundle::open(Cursor::new(input.to_vec())) {
        black_box(bundle.manifest_unverified()).ok();
        assert!(bundle.chain().links().len() <= MAX_RINGS);
    }
}

fn manifest(input: &[u8]) {
    let Ok(manifest) = Manifest::parse(input) else { return };
    let written = manifest.to_json().to_string();
    let again = Manifest::parse(written.as_bytes()).unwrap_or_else(|error| panic!("{error:?}: {written}"));
    assert_eq!(again.to_json().to_string(), written, "a manifest is read as it was written");
    for role in &manifest.roles {
        assert!(manifest.role(&role.role).is_some(), "a role is found");
        for platform in Platform::ALL {
            black_box(manifest.files_for(platform, &role.role).count());
        }
    }
    for file in &manifest.files {
        for baseline in &file.baselines {
            let delta = manifest.delta(file, baseline.sha256);
            assert!(
                delta.is_none_or(|delta| manifest.member(&delta.member).is_some()),
                "a delta is a member"
            );
            assert!(
                file.member.is_some() || delta.is_some() || !manifest.can_make(file, Some(baseline.sha256))
            );
        }
    }
    black_box((
        manifest.platforms(),
        manifest.facts_of_product().level(qfe_patcher::version::FileVersion([2, 0, 1380, 0])).is_some(),
    ));
}

fn source(input: &[u8]) {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file can be made");
    file.write_all(input).expect("a temporary file can be written");
    let inside = ["", "i386", INNER, "Q1.exe/i386"].map(|inner| file.path().join(inner));
    for path in inside {
        if let Ok(mut tree) = Tree::open(&path) {
            let names: Vec<_> = tree.names().take(MEMBERS).cloned().collect();
            for name in names {
                assert!(tree.contains(&name), "{name} is in the tree");
                black_box(tree.read(&name)).ok();
            }
        }
    }
}

/// A block of LZX that is not compressed: its header, three offsets, and `abc`.
const LZX_BLOCK: &[u8] = b"\0\x30\x30\0\x01\0\0\0\x01\0\0\0\x01\0\0\0abc\0";

/// Sets the checksums of a cabinet's blocks to zero: then none is looked at.
fn without_checksums(cabinet: &mut [u8]) {
    let half = |cabinet: &[u8], at: usize| {
        let bytes = cabinet.get(at..).and_then(|tail| tail.first_chunk()).expect("it lies in the cabinet");
        usize::from(u16::from_le_bytes(*bytes))
    };
    for folder in (36..).step_by(8).take(half(cabinet, 26)) {
        let mut at = half(cabinet, folder);
        for _ in 0..half(cabinet, folder + 4) {
            cabinet.get_mut(at..at + 4).expect("it lies in the cabinet").fill(0);
            at += 8 + half(cabinet, at + 4);
        }
    }
}

/// Makes a container of a few members.
fn contained(kind: ContainerKind) -> Vec<u8> {
    written(kind, Vec::new())
}

/// Makes a zip of a few members behind a program.
fn behind(before: &[u8]) -> Vec<u8> {
    written(ContainerKind::Exe, before.to_vec())
}

fn written(kind: ContainerKind, before: Vec<u8>) -> Vec<u8> {
    let member = |name: &str, bytes: Vec<u8>| (name.parse().expect("it is a name"), bytes);
    let contents = Contents {
        manifest: b"{}\n".to_vec(),
        signatures: [("signatures/0A.minisig".to_owned(), "a\n".to_owned())].into(),
        rings: ["keyring/2.toml", "keyring/2.0A.minisig"]
            .map(|name| (name.to_owned(), b"a\n".to_vec()))
            .into(),
        members: [
            member("i386/Ccm.dll", b"compressible ".repeat(100)),
            member("i386/noise.bin", (0..=255).collect()),
            member("alpha/empty.ini", Vec::new()),
        ]
        .into(),
    };
    let mut out = Cursor::new(before);
    out.set_position(out.get_ref().len() as u64);
    write(kind, &contents, out).expect("it can be written").into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_container_to_begin_with_gives_out_its_members() {
        for seed in (CONTAINER.seeds)() {
            let mut container = Container::open(Cursor::new(seed)).unwrap();
            let names: Vec<_> = container.members().cloned().collect();
            assert!(names.len() > 1);
            assert!(names.iter().all(|name| container.read(name, LIMIT).is_ok()), "{names:?}");
        }
    }

    #[test]
    fn every_payload_to_begin_with_gives_out_its_files() {
        for seed in (SOURCE.seeds)() {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), seed).unwrap();
            let mut tree = Tree::open(&file.path().join(INNER)).or_else(|_| Tree::open(file.path())).unwrap();
            let names: Vec<_> = tree.names().cloned().collect();
            assert!(names.len() > 1);
            assert!(names.iter().all(|name| tree.read(name).is_ok()), "{names:?}");
        }
    }
}
