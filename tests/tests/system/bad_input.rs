//! Bad input, as its user meets it: the exit code and message of the table, and an untouched target.

use std::fs;
use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use qfe_patcher::bundle::Bundle;
use qfe_patcher::bundle::keyring::KeyRing;
use qfe_patcher::day::Day;
use qfe_patcher::digest::Digest;
use qfe_patcher::exit::ExitCode;
use qfe_tests::args;
use qfe_tests::programs::patcher;
use qfe_tests::samples::{Server, apply_args, tiny, workshop};
use qfe_tests::tree;
use zip::write::SimpleFileOptions;

/// Applies a bundle that must be refused with this code and these words, and leave the server as it was.
#[track_caller]
fn refused(bundle: &Path, code: ExitCode, words: &[&str]) {
    let server = Server::new("i386");
    let before = tree::read(server.root());
    let run = server.apply(bundle).ends(code).says(words);
    assert_eq!(run.json()["code"], code.number());
    assert!(tree::read(server.root()) == before, "the target was touched");
}

/// Members of the sample bundle in order, with their bytes.
fn members() -> Vec<(String, Vec<u8>)> {
    let file = fs::File::open(workshop().bundle()).unwrap();
    let mut archive = zip::ZipArchive::new(file).unwrap();
    let mut members = Vec::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        members.push((entry.name().unwrap().into_owned(), bytes));
    }
    members
}

/// Writes members as a bundle of this name.
fn repack(name: &str, members: &[(String, Vec<u8>)]) -> PathBuf {
    let path = workshop().path(name);
    let mut writer = zip::ZipWriter::new(fs::File::create(&path).unwrap());
    for (name, bytes) in members {
        writer.start_file(name.as_str(), SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap();
    path
}

#[test]
fn a_repacked_bundle_is_as_good_as_the_first() {
    let server = Server::new("i386");
    server.apply(&repack("repacked.zip", &members())).succeeds();
}

#[test]
fn keys_that_are_wrong_missing_or_no_keys() {
    let server = Server::new("i386");
    let before = tree::read(server.root());
    let apply = |keys: &Path| {
        let role = args!["apply", workshop().bundle(), "--role", "site-server", "--target", server.root()];
        let rest = args!["--keys", keys, "--services", "none", "--assume-build", "1380"];
        patcher(role.into_iter().chain(rest))
    };
    apply(&workshop().path("stranger.pub")).ends(ExitCode::Untrusted).says(&["signed by", "--keys"]);
    apply(&workshop().path("nobody.pub")).ends(ExitCode::Untrusted).says(&["nobody.pub"]);
    apply(&workshop().path("vendor.key")).ends(ExitCode::Untrusted).says(&["no minisign public key"]);
    apply(server.root()).ends(ExitCode::Untrusted).says(&["holds no public key"]);
    #[cfg(unix)]
    apply(Path::new("/dev/zero")).ends(ExitCode::Untrusted).says(&["/dev/zero", "more than 65536 bytes"]);
    patcher(args!["apply", workshop().bundle(), "--role", "site-server", "--target", server.root()])
        .ends(ExitCode::BadCommandLine)
        .says(&["--keys"]);
    assert!(tree::read(server.root()) == before);
}

#[test]
fn bundles_that_are_absent_empty_no_archive_or_cut_off() {
    let whole = fs::read(workshop().bundle()).unwrap();
    refused(&workshop().path("absent.zip"), ExitCode::BundleUnreadable, &["absent.zip"]);
    let write = |name: &str, bytes: &[u8]| {
        let path = workshop().path(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    refused(&write("empty.zip", b""), ExitCode::BundleMalformed, &["neither a zip"]);
    refused(&write("text.zip", b"hello"), ExitCode::BundleMalformed, &["neither a zip"]);
    for cut in [10, whole.len() / 2, whole.len() - 1] {
        refused(&write("cut.zip", &whole[..cut]), ExitCode::BundleMalformed, &["cut off"]);
    }
    let cab = fs::read(workshop().path("Q252717.cab")).unwrap();
    for cut in [10, cab.len() / 2, cab.len() - 1] {
        refused(&write("cut.cab", &cab[..cut]), ExitCode::BundleMalformed, &[]);
    }
}

#[test]
fn changed_members_are_refused() {
    let change = |name: &str, member: &str, at: usize| {
        let mut members = members();
        let (_, bytes) = members.iter_mut().find(|(name, _)| name.starts_with(member)).unwrap();
        let at = at.min(bytes.len() - 1);
        bytes[at] ^= 1;
        repack(name, &members)
    };
    refused(&change("manifest.zip", "manifest.json", 40), ExitCode::Untrusted, &["was changed"]);
    // Within the base64 of the signature itself.
    refused(&change("signature.zip", "signatures/", 100), ExitCode::Untrusted, &["signature"]);
    for (name, member) in
        [("payload.zip", "i386/Ccm.dll"), ("twin.zip", "alpha/Ccm.dll"), ("delta.zip", "deltas/")]
    {
        let path = change(name, member, 3000);
        refused(&path, ExitCode::BundleMalformed, &[member, "digest is"]);
        patcher(args!["verify", path, "--keys", workshop().public_key()]).ends(ExitCode::BundleMalformed);
    }
}

#[test]
fn members_that_do_not_belong_there_are_refused() {
    let with = |name: &str| {
        let mut members = members();
        members.push((name.to_owned(), b"x".to_vec()));
        repack("extra.zip", &members)
    };
    refused(&with("i386/Extra.dll"), ExitCode::BundleMalformed, &["i386/Extra.dll", "not listed"]);
    refused(&with("signatures/readme.txt"), ExitCode::BundleMalformed, &["signatures/readme.txt"]);
    refused(&with("I386/CCM.DLL"), ExitCode::BundleMalformed, &["I386/CCM.DLL", "ignoring case"]);
    refused(&with("../outside.dll"), ExitCode::BundleMalformed, &["'..'"]);
    refused(&with("i386/../../outside.dll"), ExitCode::BundleMalformed, &["'..'"]);
    refused(&with("C:/outside.dll"), ExitCode::BundleMalformed, &["one of < > :"]);
    refused(&with("i386\\..\\outside.dll"), ExitCode::BundleMalformed, &[]);
    refused(&with("i386/NUL.dll"), ExitCode::BundleMalformed, &["device name"]);
    refused(&with("i386/Ccm.dll."), ExitCode::BundleMalformed, &["dot or a space"]);
    refused(&with("i386/Cçm.dll"), ExitCode::BundleMalformed, &["printable ASCII"]);
    refused(&with("/absolute.dll"), ExitCode::BundleMalformed, &["absolute"]);

    let mut missing = members();
    missing.retain(|(name, _)| name != "alpha/Ccm.dll");
    refused(&repack("missing.zip", &missing), ExitCode::BundleMalformed, &["alpha/Ccm.dll", "missing"]);
    let mut unsigned = members();
    unsigned.retain(|(name, _)| !name.starts_with("signatures/"));
    refused(&repack("unsigned.zip", &unsigned), ExitCode::Untrusted, &["nobody"]);
}

#[test]
fn a_member_that_is_there_twice_is_refused() {
    // The writer takes no name twice: a name of the same length is put there and overwritten.
    let mut members = members();
    members.push(("i386/Ccm.dlX".to_owned(), b"other".to_vec()));
    let path = repack("twice.zip", &members);
    let mut bytes = fs::read(&path).unwrap();
    let positions: Vec<usize> =
        (0..bytes.len() - 12).filter(|at| &bytes[*at..*at + 12] == b"i386/Ccm.dlX").collect();
    assert_eq!(positions.len(), 2, "in the local and in the central header");
    for at in positions {
        bytes[at + 11] = b'l';
    }
    fs::write(&path, bytes).unwrap();
    refused(&path, ExitCode::BundleMalformed, &["i386/Ccm.dll", "have one name"]);
}

/// Returns what a bundle gives out to who believes the vendor: the digest of its manifest, and every member.
fn contents(bytes: Vec<u8>) -> Option<(Digest, Vec<Vec<u8>>)> {
    let key = fs::read_to_string(workshop().public_key()).unwrap();
    let ring = KeyRing::new([("vendor.pub", key.as_str())], None).unwrap();
    let today = Day::of(std::time::SystemTime::now());
    let mut bundle = Bundle::open(Cursor::new(bytes)).ok()?.verify(ring, today).ok()?;
    let names: Vec<_> = bundle.manifest().members.iter().map(|member| member.name.clone()).collect();
    let members = names.iter().map(|name| bundle.read(name).ok()).collect::<Option<Vec<_>>>()?;
    Some((bundle.verified().digest(), members))
}

#[test]
fn no_two_members_of_a_bundle_can_change_places() {
    let members = members();
    assert!(contents(fs::read(repack("in-place.zip", &members)).unwrap()).is_some());
    let mut pairs = 0;
    for one in 0..members.len() {
        for other in one + 1..members.len() {
            let mut swapped = members.clone();
            let bytes = swapped[one].1.clone();
            swapped[one].1 = std::mem::replace(&mut swapped[other].1, bytes);
            let taken = contents(fs::read(repack("swapped.zip", &swapped)).unwrap());
            assert!(taken.is_none(), "{} and {}", members[one].0, members[other].0);
            pairs += 1;
        }
    }
    assert!(pairs > 50, "{pairs} pairs");
}

#[test]
fn every_changed_byte_and_every_truncation_of_a_small_bundle_is_refused_or_harmless() {
    for path in [&tiny().bundle, &tiny().cabinet] {
        let bytes = fs::read(path).unwrap();
        let whole = contents(bytes.clone());
        assert!(whole.is_some());
        for end in 0..bytes.len() {
            assert!(contents(bytes[..end].to_vec()).is_none(), "cut to {end} of {}", bytes.len());
        }
        let mut harmless = 0;
        for at in 0..bytes.len() {
            for flip in [0x01, 0x10, 0x80, 0xff] {
                let mut changed = bytes.clone();
                changed[at] ^= flip;
                let result = contents(changed);
                harmless += usize::from(result.is_some());
                assert!(result.is_none() || result == whole, "byte {at}: other contents were taken");
            }
        }
        let tried = bytes.len() * 4;
        println!(
            "{harmless} of {tried} changes were harmless: times and attributes of the container, comments"
        );
        assert!(harmless < bytes.len());
    }
}

#[test]
fn old_files_that_nobody_knows_are_refused_and_replaced_only_when_told() {
    let server = Server::new("i386");
    let path = server.bin().join("Ccm.dll");
    let mut bytes = fs::read(&path).unwrap();
    bytes[9000] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let before = tree::read(server.root());
    let run = server.apply(&workshop().bundle()).ends(ExitCode::WrongTarget).says(&[
        "Bin/i386/Ccm.dll",
        "2.0.1380.1000",
        "2.0.1380.1125",
        "--replace-unknown",
    ]);
    assert_eq!(run.json()["findings"][0]["kind"], "unknown-old-file");
    assert!(tree::read(server.root()) == before);
    let mut args = server.apply_args(&workshop().bundle());
    args.push("--replace-unknown".into());
    patcher(args).succeeds();
    server.run("rollback").succeeds();
    assert!(fs::read(&path).unwrap() == bytes);
}

#[test]
fn targets_that_are_missing_no_folder_empty_or_of_the_wrong_kind() {
    let server = Server::new("i386");
    let apply = |target: &Path, role: &str, more: &[&str]| {
        let args = args![
            "apply",
            workshop().bundle(),
            "--role",
            role,
            "--target",
            target,
            "--keys",
            workshop().public_key(),
            "--services",
            "none"
        ];
        patcher(args.into_iter().chain(more.iter().map(Into::into)))
    };
    let build = ["--assume-build", "1380"];
    let before = tree::read(server.root());
    apply(&server.path("absent"), "site-server", &build)
        .ends(ExitCode::WrongTarget)
        .says(&["does not exist"]);
    apply(&server.path("LOGS/sms.log"), "site-server", &build)
        .ends(ExitCode::WrongTarget)
        .says(&["is a file"]);
    apply(&server.path("LOGS"), "site-server", &build)
        .ends(ExitCode::WrongTarget)
        .says(&["none", "Bin/i386/Ccm.dll"]);
    apply(server.root(), "janitor", &build).ends(ExitCode::WrongTarget).says(&["janitor", "site-server"]);
    apply(server.root(), "site-server", &["--assume-build", "1239"])
        .ends(ExitCode::WrongTarget)
        .says(&["1239", "1380"]);
    apply(server.root(), "site-server", &[]).ends(ExitCode::BadCommandLine).says(&["--assume-build"]);
    let alpha = ["--assume-build", "1380", "--platform", "alpha"];
    apply(server.root(), "site-server", &alpha).ends(ExitCode::WrongTarget).says(&["alpha"]);
    patcher(args![
        "apply",
        workshop().bundle(),
        "--role",
        "site-server",
        "--target",
        server.root(),
        "--keys",
        workshop().public_key(),
        "--assume-build",
        "1380"
    ])
    .ends(ExitCode::BadCommandLine)
    .says(&["SMS_EXECUTIVE", "--services manual"]);
    fs::copy(workshop().sample("Q252717").join("baseline/alpha/Ccm.dll"), server.bin().join("Ccm.dll"))
        .unwrap();
    apply(server.root(), "site-server", &["--assume-build", "1380", "--platform", "i386"])
        .ends(ExitCode::WrongPlatform)
        .says(&["Bin/i386/Ccm.dll", "alpha"]);
    fs::copy(workshop().sample("Q252717").join("baseline/i386/Ccm.dll"), server.bin().join("Ccm.dll"))
        .unwrap();
    let after = tree::read(server.root());
    assert!(
        before.keys().eq(after.keys()) && before.iter().all(|(path, (bytes, _))| after[path].0 == *bytes)
    );
}

#[cfg(unix)]
#[test]
fn links_inside_the_target_are_not_followed() {
    let server = Server::new("i386");
    let outside = tempfile::tempdir().unwrap();
    tree::copy(&server.bin(), outside.path());
    fs::remove_dir_all(server.bin()).unwrap();
    std::os::unix::fs::symlink(outside.path(), server.bin()).unwrap();
    let before = tree::read(outside.path());
    server.apply(&workshop().bundle()).ends(ExitCode::WrongTarget).says(&["is a link"]);
    assert!(tree::read(outside.path()) == before);
}

/// A file system of its own for one test; none where it cannot be mounted.
struct Mounted(tempfile::TempDir);

impl Mounted {
    fn tmpfs(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let option = format!("size={size}");
        let mounted = mount(&["-t", "tmpfs", "-o", &option, "tmpfs"], folder.path());
        mounted.then(|| Self(folder))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(self.0.path()).status());
    }
}

fn mount(args: &[&str], folder: &Path) -> bool {
    let mounted = cfg!(target_os = "linux")
        && Command::new("mount").args(args).arg(folder).output().is_ok_and(|output| output.status.success());
    if !mounted {
        assert!(std::env::var_os("CI").is_none(), "CI must be able to mount");
        eprintln!("skipped: this user cannot mount");
    }
    mounted
}

#[test]
fn a_full_disk_is_refused_and_left_as_it_was() {
    // The server's files take 1.6 MB; the update needs as much again.
    for size in ["1700k", "2000k", "2600k"] {
        let Some(disk) = Mounted::tmpfs(size) else { return };
        let target = disk.0.path();
        let server = Server::new("i386");
        tree::copy(server.root(), target);
        let before = tree::read(target);
        let run = patcher(apply_args(&workshop().bundle(), target));
        run.ends(ExitCode::DiskFull).says(&["free space on the volume of the target", "wanted 29"]);
        assert!(tree::read(target) == before, "{size}: something was written");
    }
}

#[test]
fn a_read_only_target_is_refused() {
    let Some(disk) = Mounted::tmpfs("8m") else { return };
    let target = disk.0.path();
    tree::copy(Server::new("i386").root(), target);
    let before = tree::read(target);
    if !mount(&["-o", "remount,ro"], target) {
        return;
    }
    patcher(apply_args(&workshop().bundle(), target))
        .ends(ExitCode::AccessDenied)
        .says(&["may not write", "read-only"]);
    assert!(tree::read(target) == before);
}

/// Makes a file immutable, or changeable again; false where that cannot be done.
fn immutable(flag: &str, path: &Path) -> bool {
    let changed =
        Command::new("chattr").arg(flag).arg(path).output().is_ok_and(|output| output.status.success());
    if !changed {
        eprintln!("skipped: chattr {flag} does not work here");
    }
    changed
}

#[test]
fn a_file_that_cannot_be_replaced_fails_apply_and_rollback_as_a_whole() {
    let server = Server::new("i386");
    let before = tree::read_product(server.root());
    // Neither the first nor the last of the three, so that files before it must be put back.
    let stubborn = server.bin().join("Ccm.dll");
    if !immutable("+i", &stubborn) {
        return;
    }
    server.apply(&workshop().bundle()).ends(ExitCode::Failed).says(&["Ccm.dll", "as it was before"]);
    assert!(tree::read_product(server.root()) == before);
    immutable("-i", &stubborn);
    server.apply(&workshop().bundle()).succeeds();
    let after = tree::read_product(server.root());
    immutable("+i", &stubborn);
    server.run("rollback").ends(ExitCode::Failed).says(&["Ccm.dll", "still installed"]);
    assert!(tree::read_product(server.root()) == after);
    assert_eq!(server.run("status").succeeds().json()["updates"][0]["state"], "installed");
    immutable("-i", &stubborn);
    server.run("rollback").succeeds();
    assert!(tree::read_product(server.root()) == before);
}

#[test]
fn a_target_that_another_run_holds_is_refused_with_its_holder() {
    let server = Server::new("i386");
    let lock = fs::File::create(server.path("$NtUninstall.lock")).unwrap();
    lock.lock().unwrap();
    fs::write(server.path("$NtUninstall.lock"), "process 1, since yesterday").unwrap();
    let before = tree::read(server.root());
    server.apply(&workshop().bundle()).ends(ExitCode::Busy).says(&["process 1, since yesterday"]);
    assert!(tree::read(server.root()) == before);
    drop(lock);
    server.apply(&workshop().bundle()).succeeds();
    assert!(!server.path("$NtUninstall.lock").exists());
}

#[test]
fn a_damaged_backup_refuses_the_rollback_and_changes_nothing() {
    let server = Server::new("i386");
    server.apply(&workshop().bundle()).succeeds();
    let backup = server.path("$NtUninstallQ252717$/0001/backup/Bin/i386/Ccm.dll");
    fs::write(&backup, "damaged").unwrap();
    let before = tree::read_product(server.root());
    server.run("rollback").ends(ExitCode::Failed).says(&["still installed", "backup/Bin/i386/Ccm.dll"]);
    assert!(tree::read_product(server.root()) == before);
    assert_eq!(server.run("status").succeeds().json()["updates"][0]["state"], "installed");
}

#[cfg(unix)]
#[test]
fn links_among_the_patchers_own_records_are_refused() {
    use std::os::unix::fs::symlink;
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("precious"), "precious").unwrap();
    let before = tree::read(outside.path());
    let places = [
        "$NtUninstallQ252717$",
        "$NtUninstallQ252717$/0001",
        "$NtUninstallQX$/0001/stage",
        "$NtUninstallQX$/0001/journal",
    ];
    for place in places {
        let server = Server::new("i386");
        fs::create_dir_all(server.path(place).parent().unwrap()).unwrap();
        symlink(outside.path(), server.path(place)).unwrap();
        server.apply(&workshop().bundle()).ends(ExitCode::WrongTarget).says(&["has the name of"]);
        server.run("recover").ends(ExitCode::WrongTarget);
        assert!(tree::read(outside.path()) == before, "{place} was followed");
    }
}

#[test]
fn a_log_that_cannot_be_written_refuses_the_run() {
    let server = Server::new("i386");
    let before = tree::read(server.root());
    let mut args = server.apply_args(&workshop().bundle());
    args.extend(args!["--log", server.path("no/such/folder.log")]);
    patcher(args).ends(ExitCode::LogUnwritable).says(&["folder.log"]);
    assert!(tree::read(server.root()) == before);
    fs::create_dir(server.path("LOGS/q252717.LOG")).unwrap();
    let before = tree::read(server.root());
    server.apply(&workshop().bundle()).ends(ExitCode::LogUnwritable).says(&["q252717.LOG is no file"]);
    assert!(tree::read(server.root()) == before);
}

#[test]
fn a_refusal_is_in_the_log_that_was_asked_for() {
    let server = Server::new("i386");
    let log = workshop().path("refused.log");
    let mut args = server.apply_args(&workshop().path("absent.zip"));
    args.extend(args!["--log", &log]);
    patcher(args).ends(ExitCode::BundleUnreadable);
    assert!(fs::read_to_string(log).unwrap().contains("Installation aborted."));
}

#[test]
fn a_manifest_of_a_newer_builder_is_refused_by_name() {
    let mut members = members();
    let manifest = &mut members[0];
    assert_eq!(manifest.0, "manifest.json");
    let text = String::from_utf8(manifest.1.clone()).unwrap();
    for (name, from, to, word) in [
        ("verb.zip", "\"add-file\"", "\"melt-file\"", "melt-file"),
        ("gate.zip", "\"registry-build\"", "\"moon-phase\"", "moon-phase"),
        ("format.zip", "\"format\": 1", "\"format\": 2", "format 2"),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from} is in the manifest");
        let mut members = members.clone();
        let signed = sign_by_minisign(changed.as_bytes());
        members[0].1 = changed.into_bytes();
        members[1].1 = signed;
        refused(&repack(name, &members), ExitCode::NewerPatcher, &[word, "newer qfe-patcher"]);
    }
}

/// Signs with the vendor's key through the `minisign` library: a signer that is not ours.
fn sign_by_minisign(bytes: &[u8]) -> Vec<u8> {
    let text = fs::read_to_string(workshop().path("vendor.key")).unwrap();
    let key = minisign::SecretKeyBox::from_string(&text).unwrap().into_unencrypted_secret_key().unwrap();
    minisign::sign(None, &key, Cursor::new(bytes), None, None).unwrap().to_bytes()
}

#[test]
fn a_journal_that_was_lost_never_costs_the_backup() {
    for cut in [
        |_: &str| String::new(),
        |text: &str| "\0".repeat(text.len()),
        |text: &str| text.lines().take(1).map(|line| format!("{line}\n")).collect(),
    ] {
        let server = Server::new("i386");
        server.apply(&workshop().bundle()).succeeds();
        let journal = server.path("$NtUninstallQ252717$/0001/journal");
        let text = fs::read_to_string(&journal).unwrap();
        fs::write(&journal, cut(&text)).unwrap();
        let contents = || {
            let files = tree::read(server.root()).into_iter();
            files.map(|(path, (bytes, _))| (path, bytes)).collect::<Vec<_>>()
        };
        let before = contents();
        server.run("recover").ends(ExitCode::RollbackFailed).says(&["journal", "backup"]);
        server.apply(&workshop().bundle()).ends(ExitCode::RollbackFailed);
        assert!(contents() == before);
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_in_place_of_a_backup_or_receipt_is_refused_and_not_waited_for() {
    for name in ["0001/backup/Bin/i386/Ccm.dll", "receipt.json"] {
        let server = Server::new("i386");
        server.apply(&workshop().bundle()).succeeds();
        let path = server.path("$NtUninstallQ252717$").join(name);
        fs::remove_file(&path).unwrap();
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        let run = server.run("rollback");
        assert!(run.status == 0 || run.stderr.contains("it is no file"), "{run:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_lock_that_is_another_name_of_a_file_is_refused() {
    let server = Server::new("i386");
    let outside = tempfile::NamedTempFile::new().unwrap();
    fs::write(outside.path(), "precious").unwrap();
    // Where the folders are on two file systems there is no such name.
    if fs::hard_link(outside.path(), server.path("$NtUninstall.lock")).is_ok() {
        server.apply(&workshop().bundle()).ends(ExitCode::Failed).says(&["another name"]);
        assert_eq!(fs::read(outside.path()).unwrap(), b"precious");
    }
}
