//! The main job on sample files: keys, bundle, two servers updated, looked at and rolled back.
//!
//! Runs the real programs and prints each command as one would type it. Ends with an error where anything is
//! not as it must be.
#![expect(clippy::print_stdout, reason = "it shows what it does")]

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;

use qfe_tests::args;
use qfe_tests::programs::{folder, keep_no_deltas, program};
use qfe_tests::tree;

fn main() {
    println!("Building the programs ...");
    folder();
    let scratch = tempfile::tempdir().expect("a temporary folder can be made");
    let path = |name: &str| scratch.path().join(name);

    title("The sample files of Q252717: what the servers have, and the update");
    qfe_payloads::generate(&path("samples"), &["Q252717"], |file| {
        println!("  {:>9}  {}", file.size, below(scratch.path(), &file.path));
    })
    .expect("samples can be written");

    title("The release engineer: a key, a bundle, what is in it");
    let run = |name, args: &[OsString]| run(scratch.path(), name, args);
    run("qfe-builder", &args!["keygen", "--secret", "vendor.key", "--public", "vendor.pub", "--no-password"]);
    let recipe = "samples/Q252717/update.toml";
    run("qfe-builder", &args!["build", recipe, "--key", "vendor.key", "--output", "Q252717.zip"]);
    run("qfe-builder", &args!["inspect", "Q252717.zip"]);

    title("The field admin: check the bundle, then update a site server of each platform");
    run("qfe-patcher", &args!["verify", "Q252717.zip", "--keys", "vendor.pub", "--baseline", "samples"]);
    for platform in ["i386", "alpha"] {
        let server = format!("server-{platform}");
        let bin = path(&server).join("Bin").join(platform);
        tree::copy(&path("samples/Q252717/baseline").join(platform), &bin);
        fs::write(bin.join("Hman.dll"), "a file that no update knows").expect("a file can be written");
        let before = tree::read(&path(&server));
        run(
            "qfe-patcher",
            &args![
                "apply",
                "Q252717.zip",
                "--role",
                "site-server",
                "--target",
                &server,
                "--keys",
                "vendor.pub",
                "--services",
                "none",
                "--assume-build",
                "1380"
            ],
        );
        for file in ["Ccm.dll", "Ccmbtldr.exe", "Baseobj.dll"] {
            let new =
                fs::read(path("samples/Q252717/update").join(platform).join(file)).expect("it is there");
            assert!(fs::read(bin.join(file)).expect("it is there") == new, "{file} is not the update's");
        }
        println!("  -> the three files are the update's, byte for byte\n");
        run("qfe-patcher", &args!["status", "--target", &server]);
        run("qfe-patcher", &args!["rollback", "--target", &server]);
        assert!(tree::read_product(&path(&server)) == tree::product_of(&before), "{server} is not as before");
        println!("  -> every file of {server} is as before, byte for byte, with its time\n");
    }
    println!("Done: built, signed, applied, seen and rolled back on both platforms.");
}

fn title(text: &str) {
    println!("\n== {text}\n");
}

fn below(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}

/// Shows a command and runs it; it must succeed.
fn run(folder: &Path, name: &str, args: &[OsString]) {
    let shown: Vec<String> = args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect();
    println!("$ {name} {}", shown.join(" "));
    let mut command = Command::new(program(name));
    keep_no_deltas(&mut command);
    let status = command.args(args).current_dir(folder).status().expect("our program runs");
    assert!(status.success(), "{name} ended with {status}");
    println!();
}
