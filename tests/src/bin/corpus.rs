//! The main job on real update pairs: `cargo corpus FOLDER [--output DIR]`.
//!
//! The folder is laid out as [`qfe_tests::corpus`] says. For each layout one bundle is built over all its pairs; it is
//! verified with every delta, applied to a folder with the old files, compared with the new ones byte for byte, rolled
//! back, compared with the old ones.
#![expect(clippy::print_stdout, reason = "it shows what it does")]

use std::fs;
use std::path::{Path, PathBuf};

use qfe_patcher::image::Image;
use qfe_tests::args;
use qfe_tests::corpus::{self, Pair};
use qfe_tests::programs::{builder, patcher};
use qfe_tests::tree;

fn main() {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        println!(
            "usage: cargo corpus FOLDER   (pairs NAME/old, NAME/new; or NAME/{{old,new}}/NAME.{{i386,alpha}}.dll)"
        );
        std::process::exit(2);
    };
    let scratch = tempfile::tempdir().expect("a temporary folder can be made");
    let path = |name: &str| scratch.path().join(name);
    builder(args!["keygen", "--secret", path("k.key"), "--public", path("k.pub"), "--no-password"])
        .succeeds();
    let mut done = 0;
    for (number, (folder, pairs)) in corpus::lists(&folder).into_iter().enumerate() {
        for (layout, twins) in [("twins", true), ("intel", false)] {
            let pairs: Vec<&Pair> = pairs.iter().filter(|pair| pair.alpha.is_some() == twins).collect();
            if !pairs.is_empty() {
                println!("{}: {} pairs ({layout})", folder.display(), pairs.len());
                bring_through(scratch.path(), &format!("CORPUS-{number}-{layout}"), &pairs);
                done += pairs.len();
            }
        }
    }
    assert!(done > 0, "{} holds no pairs", folder.display());
    println!("{done} pairs: built, verified, applied, compared, rolled back, compared");
}

/// Builds one bundle over the pairs and brings it through apply and rollback.
fn bring_through(scratch: &Path, id: &str, pairs: &[&Pair]) {
    let folder = scratch.join(id);
    let platforms: &[&str] =
        if pairs.iter().all(|pair| pair.alpha.is_some()) { &["i386", "alpha"] } else { &["i386"] };
    let mut names = Vec::new();
    for pair in pairs {
        let name = format!("{}.dll", pair.name.replace(['~', ' '], "-"));
        for platform in platforms {
            let file = if *platform == "i386" { &pair.intel } else { pair.alpha.as_ref().expect("twins") };
            copy(&file.old, &folder.join("baseline").join(platform).join(&name));
            copy(&file.new, &folder.join("update").join(platform).join(&name));
        }
        names.push(name);
    }
    fs::write(folder.join("update.toml"), recipe(id, platforms)).expect("a file can be written");
    let (bundle, lean) = (scratch.join(format!("{id}.zip")), scratch.join(format!("{id}-lean.zip")));
    let build = |output: &Path, more: &[&str]| {
        let args =
            args!["build", folder.join("update.toml"), "--key", scratch.join("k.key"), "--output", output];
        builder(args.into_iter().chain(more.iter().map(Into::into))).succeeds();
    };
    build(&bundle, &[]);
    build(&lean, &["--lean"]);
    let size = |path: &Path| fs::metadata(path).expect("it is there").len();
    println!("  bundle {} bytes, lean {} bytes", size(&bundle), size(&lean));
    let keys = scratch.join("k.pub");
    let verified =
        patcher(args!["verify", &bundle, "--keys", &keys, "--baseline", folder.join("baseline"), "--json"])
            .succeeds();
    let verified = verified.json();
    assert_eq!(verified.get("deltas"), verified.get("deltas_decoded"), "every delta was decoded");
    for platform in platforms {
        for bundle in [&bundle, &lean] {
            let server = scratch.join(format!("{id}-{platform}"));
            tree::copy(&folder.join("baseline").join(platform), &server.join("Bin").join(platform));
            let before = tree::read(&server);
            patcher(args![
                "apply",
                bundle,
                "--role",
                "site-server",
                "--target",
                &server,
                "--keys",
                &keys,
                "--services",
                "none",
                "--registry",
                "none",
                "--platform",
                *platform
            ])
            .succeeds();
            for name in &names {
                let new = fs::read(folder.join("update").join(platform).join(name)).expect("it is there");
                let found = fs::read(server.join("Bin").join(platform).join(name)).expect("it is there");
                assert!(found == new, "{name} is not the new file");
            }
            patcher(args!["rollback", "--target", &server]).succeeds();
            assert!(tree::read_product(&server) == tree::product_of(&before), "{platform}: not as before");
            fs::remove_dir_all(&server).expect("a folder can be removed");
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().expect("it is below a folder")).expect("a folder can be made");
    fs::copy(from, to).expect("a file can be copied");
    let bytes = fs::read(to).expect("it was just written");
    assert!(Image::read(&bytes).is_ok(), "{} is no PE image", from.display());
}

fn recipe(id: &str, platforms: &[&str]) -> String {
    let folders = |tree: &str| {
        platforms.iter().map(|platform| format!("{platform} = '{tree}/{platform}'\n")).collect::<String>()
    };
    format!(
        "id = '{id}'\ntitle = 'Real update pairs'\nrevision = 1\nproduct = 'Systems Management Server 2.0'\n\
         builds = []\n[payload]\n{}[[baseline]]\nname = 'old'\n{}",
        folders("update"),
        folders("baseline")
    )
}
