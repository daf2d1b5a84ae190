//! The cache of deltas: what is found again, what is not believed, and that bundles do not depend on it.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::fixture::{FIRST, Fixture, SECOND};

const CACHE: [&str; 2] = ["--cache", "kept"];

/// Builds with a cache and returns the answer.
fn build(fixture: &Fixture, more: &[&str]) -> Value {
    fixture.build("Q252717.zip", &[&CACHE, more].concat())
}

/// How many deltas came from the cache, and how many warnings there were.
fn cached(answer: &Value) -> (u64, usize) {
    (answer["cached"].as_u64().unwrap(), answer["warnings"].as_array().unwrap().len())
}

/// The files of the cache, sorted.
fn entries(fixture: &Fixture) -> Vec<PathBuf> {
    let listing = fs::read_dir(fixture.path("kept")).unwrap();
    let mut paths: Vec<PathBuf> = listing.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

#[test]
fn a_second_build_takes_every_delta_from_the_cache_and_gives_the_same_bytes() {
    let fixture = Fixture::new();
    for name in ["Q252717.zip", "Q252717.cab"] {
        for more in [[].as_slice(), &["--lean"], &["--codec", "bsdiff"]] {
            let bytes = |switches: &[&str]| {
                let answer = fixture.build(name, &[switches, more].concat());
                (cached(&answer), fixture.get(name))
            };
            // A lean bundle warns of the files that it holds whole, with and without a cache.
            let ((count, warnings), without) = bytes(&["--no-cache"]);
            assert_eq!(count, 0);
            let (_, first) = bytes(&CACHE);
            let (again, second) = bytes(&CACHE);
            assert_eq!(again, (2, warnings), "{name} {more:?}");
            assert!(without == first && first == second, "{name} {more:?}: the bytes depend on the cache");
        }
    }
    // Two platforms, and the answers of two choices of codecs.
    assert_eq!(entries(&fixture).len(), 4);
}

#[test]
fn a_changed_file_is_encoded_and_the_others_are_not() {
    let fixture = Fixture::new();
    build(&fixture, &[]);
    let mut changed = fixture.get("update/alpha/CCM.DLL");
    *changed.last_mut().unwrap() ^= 1;
    fixture.put("update/alpha/CCM.DLL", &changed);
    assert_eq!(cached(&build(&fixture, &[])), (1, 0));
    assert_eq!(cached(&build(&fixture, &[])), (2, 0));
}

#[test]
fn what_is_damaged_at_any_place_is_told_made_anew_and_replaced() {
    let fixture = Fixture::new();
    build(&fixture, &[]);
    let (wanted, paths) = (fixture.get("Q252717.zip"), entries(&fixture));
    let (path, whole) = (&paths[0], fs::read(&paths[0]).unwrap());
    let other = fs::read(&paths[1]).unwrap();
    // In each field of the entry's head, in the delta; cut off in each; longer; empty; another entry's content.
    let mut bad: Vec<Vec<u8>> = [0, 8, 71, 72, 73, 80, 81, whole.len() - 1]
        .into_iter()
        .map(|at| {
            let mut flipped = whole.clone();
            flipped[at] ^= 0x10;
            flipped
        })
        .collect();
    bad.extend([0, 7, 8, 71, 72, 80, 81, whole.len() - 1].map(|end| whole[..end].to_vec()));
    bad.extend([[whole.as_slice(), b"x"].concat(), other]);
    for (number, bad) in bad.iter().enumerate() {
        fs::write(path, bad).unwrap();
        let answer = build(&fixture, &[]);
        assert_eq!(cached(&answer), (1, 1), "damage {number}: {answer:#}");
        let told = answer["warnings"][0].as_str().unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(told.contains(name) && told.contains("made anew"), "{told}");
        assert!(fixture.get("Q252717.zip") == wanted, "damage {number} reached the bundle");
        assert!(fs::read(path).unwrap() == whole, "damage {number} was not replaced");
    }
    assert_eq!(entries(&fixture), paths, "nothing but entries is left");
}

#[test]
fn what_another_key_has_sealed_is_not_believed() {
    let fixture = Fixture::new();
    build(&fixture, &[]);
    let first = entries(&fixture);
    let second = |cache: &[&str]| {
        let line = ["build", "update.toml", "--key", SECOND, "-o", "other.zip"];
        let (status, answer) = fixture.json(&[&line, cache].concat());
        assert_eq!(status, 0, "{answer:#}");
        cached(&answer)
    };
    assert_eq!(second(&CACHE), (0, 0), "each key has entries of its own");
    let wanted = fixture.get("other.zip");
    // The first key's entries under the names of the second's: both orders, as their order is unknown.
    let own: Vec<PathBuf> = entries(&fixture).into_iter().filter(|path| !first.contains(path)).collect();
    for (from, to) in [(0, 0), (1, 1), (0, 1), (1, 0)] {
        fs::copy(&first[from], &own[to]).unwrap();
        let other = fs::read(&own[1 - to]).unwrap();
        assert_eq!(second(&CACHE), (1, 1));
        assert!(fixture.get("other.zip") == wanted && fs::read(&own[1 - to]).unwrap() == other);
    }
    assert_eq!(cached(&build(&fixture, &["--key", SECOND])), (2, 0), "it is the first key that counts");
}

#[test]
fn a_second_look_at_a_bundle_uses_no_cache() {
    let fixture = Fixture::new();
    build(&fixture, &[]);
    let check = ["build", "update.toml", "--check", "Q252717.zip"];
    assert_eq!(fixture.json(&check).0, 0);
    let (_, answer) = fixture.json(&[&check[..], &CACHE].concat());
    assert_eq!(answer["code"], json!(1639));
    let (_, answer) = fixture.json(&[&check[..], &["--no-cache"]].concat());
    assert_eq!(answer["code"], json!(1639), "--check never uses one, so nothing is to be switched off");
}

#[test]
fn a_cache_that_cannot_be_used_is_told_and_the_bundle_built() {
    let fixture = Fixture::new();
    build(&fixture, &[]);
    let wanted = fixture.get("Q252717.zip");
    fixture.put("file", b"no folder");
    for folder in ["file", "file/below"] {
        let answer = fixture.build("Q252717.zip", &["--cache", folder]);
        assert_eq!(cached(&answer), (0, 1), "{answer:#}");
        let told = answer["warnings"][0].as_str().unwrap();
        assert!(told.starts_with(&format!("{folder} cannot be written")), "{told}");
        assert!(fixture.get("Q252717.zip") == wanted);
    }
    // An entry that is a folder is no entry, and cannot be replaced by one.
    let path = entries(&fixture).remove(0);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let answer = build(&fixture, &[]);
    assert_eq!(cached(&answer), (1, 2), "{answer:#}");
    assert_eq!(entries(&fixture).len(), 2, "nothing unfinished is left");
}

/// Not as root, whom no permission stops.
#[cfg(unix)]
#[test]
fn a_cache_that_may_only_be_read_is_read() {
    use std::os::unix::fs::PermissionsExt;
    let fixture = Fixture::new();
    build(&fixture, &[]);
    let set = |mode| fs::set_permissions(fixture.path("kept"), fs::Permissions::from_mode(mode)).unwrap();
    assert_eq!(fs::metadata(fixture.path("kept")).unwrap().permissions().mode() & 0o777, 0o700);
    set(0o500);
    if fs::write(fixture.path("kept/probe"), b"").is_ok() {
        println!("skipped: this user may write everywhere");
        return;
    }
    assert_eq!(cached(&build(&fixture, &[])), (2, 0), "what is there serves");
    let answer = build(&fixture, &["--codec", "bsdiff"]);
    assert_eq!(cached(&answer), (0, 1), "{answer:#}");
    set(0o700);
}

#[test]
fn builds_at_the_same_time_leave_whole_entries_only() {
    let fixture = Fixture::new();
    let line = |name: &str| {
        ["build", "update.toml", "--key", FIRST, "-q", "-o", name, "--cache", "kept"].map(str::to_owned)
    };
    std::thread::scope(|scope| {
        for number in 0..4 {
            let (fixture, line) = (&fixture, line(&format!("{number}.zip")));
            scope.spawn(move || {
                let output = fixture.run(&line.each_ref().map(String::as_str));
                assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
            });
        }
    });
    assert_eq!(entries(&fixture).len(), 2);
    assert_eq!(cached(&build(&fixture, &[])), (2, 0));
    for number in 0..4 {
        assert!(fixture.get(&format!("{number}.zip")) == fixture.get("Q252717.zip"));
    }
}
