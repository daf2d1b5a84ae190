//! What we write is read by the field's own tools, and the other way round.

use std::fs;
use std::path::Path;

use qfe_patcher::bundle::container::Container;
use qfe_tests::args;
use qfe_tests::programs::{builder, has_tool, patcher, seven_zip, tool};
use qfe_tests::samples::{Server, workshop};
use qfe_tests::tree::{self, Tree};

use crate::self_extracting::program;

/// Returns a fresh folder with the bundle extracted into it by `extract`.
fn extracted(extract: impl FnOnce(&Path)) -> Tree {
    let folder = tempfile::tempdir().unwrap();
    extract(folder.path());
    let mut tree = tree::read(folder.path());
    // Times are the extractor's business.
    tree.values_mut().for_each(|(_, time)| *time = std::time::SystemTime::UNIX_EPOCH);
    tree
}

/// What every extractor must make of the bundle: the members that the manifest lists, with their digests.
#[track_caller]
fn assert_whole(tree: &Tree) {
    let manifest: serde_json::Value = serde_json::from_slice(&tree["manifest.json"].0).unwrap();
    let members = manifest["members"].as_array().unwrap();
    for member in members {
        let (bytes, _) = &tree[member["name"].as_str().unwrap()];
        assert_eq!(qfe_patcher::digest::Digest::of(bytes).to_string(), member["sha256"].as_str().unwrap());
    }
    let files = tree.keys().filter(|path| !path.ends_with('/')).count();
    // The manifest itself and one signature.
    assert_eq!(files, members.len() + 2);
}

#[test]
fn unzip_and_7z_extract_the_zip_and_agree() {
    if !has_tool("unzip") || !has_tool(seven_zip()) {
        return;
    }
    let bundle = workshop().bundle();
    let by_unzip = extracted(|folder| drop(tool("unzip", folder, args!["-q", &bundle])));
    let by_7z = extracted(|folder| drop(tool(seven_zip(), folder, args!["x", "-y", &bundle])));
    assert_whole(&by_unzip);
    assert!(by_unzip == by_7z);
    tool("unzip", Path::new("."), args!["-t", "-q", &bundle]);
}

#[test]
fn cabextract_gcab_and_7z_extract_the_cabinet_and_agree_with_the_zip() {
    if !["cabextract", "gcab", seven_zip(), "unzip"].iter().all(|name| has_tool(name)) {
        return;
    }
    let cabinet = workshop().path("Q252717.cab");
    let by_cabextract = extracted(|folder| drop(tool("cabextract", folder, args!["-q", &cabinet])));
    let by_gcab = extracted(|folder| drop(tool("gcab", folder, args!["-x", &cabinet])));
    let by_7z = extracted(|folder| drop(tool(seven_zip(), folder, args!["x", "-y", &cabinet])));
    let by_unzip = extracted(|folder| drop(tool("unzip", folder, args!["-q", workshop().bundle()])));
    assert_whole(&by_cabextract);
    assert!(by_cabextract == by_gcab, "gcab differs");
    assert!(by_cabextract == by_7z, "7z differs");
    assert!(by_cabextract == by_unzip, "the zip differs");
}

#[test]
fn a_bundle_repacked_by_zip_or_gcab_is_still_good() {
    if !["zip", "unzip", "gcab"].iter().all(|name| has_tool(name)) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    tool("unzip", folder.path(), args!["-q", workshop().bundle()]);
    let files: Vec<String> =
        tree::read(folder.path()).into_keys().filter(|path| !path.ends_with('/')).collect();
    let zip = folder.path().join("again.zip");
    tool("zip", folder.path(), args!["-q", &zip].into_iter().chain(files.iter().map(Into::into)));
    let cab = folder.path().join("again.cab");
    tool("gcab", folder.path(), args!["-c", "-z", &cab].into_iter().chain(files.iter().map(Into::into)));
    for bundle in [zip, cab] {
        patcher(args!["verify", bundle, "--keys", workshop().public_key()]).succeeds();
    }
}

/// Positions, descriptors, zip64 and extra fields as other programs write them.
#[test]
fn archives_of_other_programs_are_read_and_behind_a_program_too() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("i386")).unwrap();
    let members = [("i386/long.dll", vec![7; 300_000]), ("short.ini", b"x".to_vec()), ("empty", Vec::new())];
    for (name, bytes) in &members {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    fs::write(folder.path().join("program.exe"), program::patcher()).unwrap();
    let zip = "zip -q -D -r z.zip i386 short.ini empty";
    let seven_zip = seven_zip();
    for (needed, script) in [
        ("zip", zip.to_owned()),
        ("zip", "zip -q -0 -D -X -r z.zip i386 short.ini empty".to_owned()),
        ("zip", "zip -q -fz -D -r z.zip i386 short.ini empty".to_owned()),
        ("zip", "zip -q -D -r - i386 short.ini empty | cat >z.zip".to_owned()),
        ("zip", format!("{zip} && cat program.exe z.zip >behind && mv behind z.zip && zip -q -A z.zip")),
        (seven_zip, format!("{seven_zip} a -tzip z.zip i386/long.dll short.ini empty >7z.log")),
        (seven_zip, format!("{seven_zip} a -tzip -mx9 -mtc=on z.zip i386/long.dll short.ini empty >7z.log")),
        ("python3", "python3 -m zipfile -c z.zip i386/long.dll short.ini empty && test -f z.zip".to_owned()),
        (
            "python3",
            "python3 -c 'import sys, zipfile; z = zipfile.ZipFile(sys.stdout.buffer, \"w\", 8); [z.write(name) for name in \
             [\"i386/long.dll\", \"short.ini\", \"empty\"]]; z.close()' | cat >z.zip"
                .to_owned(),
        ),
    ] {
        if !has_tool(needed) {
            continue;
        }
        drop(fs::remove_file(folder.path().join("z.zip")));
        tool("sh", folder.path(), args!["-e", "-c", &script]);
        let archive = fs::File::open(folder.path().join("z.zip")).unwrap();
        let mut container = Container::open(archive).unwrap_or_else(|error| panic!("{script}: {error:?}"));
        for (name, bytes) in &members {
            // Python's own command leaves folders away.
            let name = if container.contains(&name.parse().unwrap()) { name } else { name.rsplit('/').next().unwrap() };
            assert!(container.read(&name.parse().unwrap(), 1 << 20).unwrap() == *bytes, "{script}: {name}");
        }
        assert_eq!(container.members().count(), members.len(), "{script}");
    }
}

#[test]
fn minisign_accepts_our_signature_over_the_manifest_and_we_accept_minisigns() {
    if !has_tool("minisign") || !has_tool("unzip") || !has_tool("zip") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    tool("unzip", folder.path(), args!["-q", workshop().bundle()]);
    let signature = fs::read_dir(folder.path().join("signatures")).unwrap().next().unwrap().unwrap().path();
    let manifest = folder.path().join("manifest.json");
    let public = workshop().public_key();
    tool("minisign", folder.path(), args!["-V", "-p", &public, "-m", &manifest, "-x", &signature]);

    // A second person signs with stock tools only: a key of minisign's own, its signature added by zip.
    let (secret, public) = (folder.path().join("clerk.key"), folder.path().join("clerk.pub"));
    tool("minisign", folder.path(), args!["-G", "-W", "-p", &public, "-s", &secret]);
    tool(
        "minisign",
        folder.path(),
        args!["-S", "-s", &secret, "-m", &manifest, "-x", "signatures/clerk.minisig"],
    );
    let bundle = folder.path().join("clerk.zip");
    fs::copy(workshop().bundle(), &bundle).unwrap();
    tool("zip", folder.path(), args!["-q", &bundle, "signatures/clerk.minisig"]);
    patcher(args!["verify", &bundle, "--keys", &public]).succeeds();
    let keys = folder.path().join("keys");
    fs::create_dir(&keys).unwrap();
    fs::copy(&public, keys.join("clerk.pub")).unwrap();
    fs::copy(workshop().public_key(), keys.join("vendor.pub")).unwrap();
    fs::write(keys.join("keyring.toml"), "threshold = 2\n").unwrap();
    patcher(args!["verify", &bundle, "--keys", &keys]).succeeds();
    patcher(args!["verify", workshop().bundle(), "--keys", &keys])
        .ends(qfe_patcher::exit::ExitCode::Untrusted);
}

#[test]
fn minisigns_key_builds_and_ours_signs_for_minisign() {
    if !has_tool("minisign") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("note.txt");
    fs::write(&file, "a note").unwrap();
    let (key, public) = (workshop().path("vendor.key"), workshop().public_key());
    tool("minisign", folder.path(), args!["-S", "-s", &key, "-m", &file]);
    tool("minisign", folder.path(), args!["-V", "-p", &public, "-m", &file]);
    let (key, public) = (folder.path().join("theirs.key"), folder.path().join("theirs.pub"));
    tool("minisign", folder.path(), args!["-G", "-W", "-p", &public, "-s", &key]);
    let bundle = folder.path().join("theirs.zip");
    let recipe = workshop().sample("Q249077").join("update.toml");
    builder(args!["build", recipe, "--key", &key, "--output", &bundle]).succeeds();
    patcher(args!["verify", &bundle, "--keys", &public]).succeeds();
}

#[test]
fn bspatch_applies_our_deltas_and_we_apply_bsdiffs() {
    if !has_tool("bsdiff") || !has_tool("bspatch") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for platform in ["i386", "alpha"] {
        let sample = workshop().sample("Q252717");
        let old = sample.join("baseline").join(platform).join("Ccm.dll");
        let new = sample.join("update").join(platform).join("Ccm.dll");
        let path = |name: &str| folder.path().join(format!("{platform}-{name}"));
        builder(args!["delta", &old, &new, "--codec", "bsdiff", "--output", path("ours")]).succeeds();
        tool("bspatch", folder.path(), args![&old, path("by-bspatch"), path("ours")]);
        tool("bsdiff", folder.path(), args![&old, &new, path("theirs")]);
        patcher(args!["delta", &old, path("theirs"), "--output", path("by-us")]).succeeds();
        let wanted = fs::read(&new).unwrap();
        assert!(fs::read(path("by-bspatch")).unwrap() == wanted);
        assert!(fs::read(path("by-us")).unwrap() == wanted);
    }
}

#[test]
fn the_manual_method_works_straight_from_the_bundle() {
    if !has_tool("unzip") {
        return;
    }
    // As the article has it: the platform's folder of the bundle is copied over the server's.
    let by_hand = Server::new("alpha");
    tool(
        "unzip",
        by_hand.root(),
        args!["-q", "-o", "-j", workshop().bundle(), "alpha/*", "-d", by_hand.bin()],
    );
    let by_patcher = Server::new("alpha");
    by_patcher.apply(&workshop().bundle()).succeeds();
    let bytes =
        |server: &Server| tree::read(&server.bin()).into_values().map(|(bytes, _)| bytes).collect::<Vec<_>>();
    assert!(bytes(&by_hand) == bytes(&by_patcher));
}
