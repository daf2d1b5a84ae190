//! Deltas of executables: those of earlier builds, those that were damaged, and those that meet another old file.

use std::fs;
use std::process::Command;

use qfe_patcher::delta::Codec;
use qfe_patcher::platform::Platform;
use qfe_payloads::SampleFile;
use qfe_tests::programs::{has_tool, workspace};

/// An update of a small image, and its delta.
struct Update {
    old: Vec<u8>,
    new: Vec<u8>,
    delta: Vec<u8>,
}

impl Update {
    fn of(platform: Platform) -> Self {
        let file = SampleFile::small(platform);
        let (old, new) = (file.baseline(), file.updated());
        let delta = qfe_builder::delta::encode(Codec::Exe, &old, &new).unwrap().bytes;
        Self { old, new, delta }
    }

    fn gives_new(&self, delta: &[u8]) -> bool {
        Codec::Exe.decode(self.old.clone(), delta, self.new.len() as u64).is_ok_and(|made| made == self.new)
    }

    fn is_refused(&self, old: &[u8], delta: &[u8]) -> bool {
        Codec::Exe.decode(old.to_vec(), delta, self.new.len() as u64).is_err()
    }
}

const PLATFORMS: [Platform; 2] = [Platform::I386, Platform::Alpha];

#[test]
fn a_delta_between_images_gives_the_new_one_and_no_more_than_is_allowed() {
    for update in PLATFORMS.map(Update::of) {
        assert!(update.gives_new(&update.delta));
        let limit = update.new.len() as u64 - 1;
        assert!(Codec::Exe.decode(update.old.clone(), &update.delta, limit).is_err());
        assert!(update.delta.len() * 20 < update.new.len(), "{} bytes", update.delta.len());
    }
}

#[test]
fn a_delta_between_images_is_refused_wherever_it_is_cut_off_or_goes_on() {
    for update in PLATFORMS.map(Update::of) {
        for len in 0..update.delta.len() {
            assert!(update.is_refused(&update.old, &update.delta[..len]), "cut off at {len}");
        }
        for more in 0..=u8::MAX {
            let longer = [&update.delta[..], &[more]].concat();
            assert!(update.is_refused(&update.old, &longer), "followed by {more}");
        }
    }
}

#[test]
fn a_delta_between_images_with_any_byte_changed_gives_no_other_file() {
    for update in PLATFORMS.map(Update::of) {
        for (at, change) in (0..update.delta.len()).flat_map(|at| [(at, 1 << (at % 8)), (at, 0xff)]) {
            let mut changed = update.delta.clone();
            changed[at] ^= change;
            // The last decisions may be others that tell the same file.
            let harmless = at + 1 == update.delta.len() && update.gives_new(&changed);
            assert!(harmless || update.is_refused(&update.old, &changed), "byte {at} changed by {change:#x}");
        }
    }
}

#[test]
fn a_delta_between_images_is_refused_for_an_old_file_with_another_byte() {
    for update in PLATFORMS.map(Update::of) {
        for at in (0..update.old.len()).step_by(151) {
            let mut other = update.old.clone();
            other[at] ^= 0x55;
            assert!(update.is_refused(&other, &update.delta), "byte {at}");
        }
        assert!(update.is_refused(&update.old[..update.old.len() - 1], &update.delta));
        assert!(update.is_refused(&update.new, &update.delta));
    }
}

/// Decodes as `tests/peers/exe_decoder.py` does, which was written by someone who knew nothing but `patcher/delta/FORMAT.md`.
fn decoded_by_the_peer(old: &[u8], delta: &[u8], limit: usize) -> Option<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("old"), old).unwrap();
    fs::write(path("delta"), delta).unwrap();
    let peer = workspace().join("tests/peers/exe_decoder.py");
    let output = Command::new("python3")
        .arg(peer)
        .args(["old", "delta", "new"].map(path))
        .arg(limit.to_string())
        .output()
        .unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() || message.lines().count() == 1, "{message}");
    output.status.success().then(|| fs::read(path("new")).unwrap())
}

#[test]
fn a_decoder_written_from_the_specification_alone_makes_the_same_files_and_refuses_the_same_deltas() {
    if !has_tool("python3") {
        return;
    }
    for old in PLATFORMS {
        for new in PLATFORMS {
            let (Update { old, .. }, Update { new, .. }) = (Update::of(old), Update::of(new));
            let delta = qfe_builder::delta::encode(Codec::Exe, &old, &new).unwrap().bytes;
            assert!(decoded_by_the_peer(&old, &delta, new.len()) == Some(new));
        }
    }
    for Update { old, new, delta } in PLATFORMS.map(Update::of) {
        let half = delta.len() / 2;
        let mut changed = delta.clone();
        changed[half] ^= 0x10;
        for damaged in [&delta[..half], &changed, &[&delta[..], b"."].concat()] {
            let ours = Codec::Exe.decode(old.clone(), damaged, new.len() as u64).ok();
            assert!(decoded_by_the_peer(&old, damaged, new.len()) == ours, "{} bytes", damaged.len());
        }
    }
}

#[test]
fn deltas_that_an_earlier_build_made_still_give_the_same_file() {
    // Where this fails and the samples are the same, the format was changed, perhaps by changing encoder and decoder alike: then
    // its version must be another, and the deltas be made again, by `qfe-builder delta`.
    for old in PLATFORMS {
        for new in PLATFORMS {
            let name = format!("tests/golden/deltas/{old}-{new}");
            let delta = fs::read(workspace().join(&name)).unwrap();
            let (old, new) = (SampleFile::small(old).baseline(), SampleFile::small(new).updated());
            let made = Codec::Exe.decode(old, &delta, new.len() as u64);
            assert!(made.unwrap_or_else(|error| panic!("{name}: {error}")) == new, "{name}");
        }
    }
}
