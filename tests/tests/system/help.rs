//! The manual as users see it: what `--help` prints, held against `tests/snapshots`.
//!
//! After a change on purpose: `QFE_BLESS=1 cargo test -p qfe-tests help`, and read the difference.

use std::fs;

use qfe_tests::programs::{run, workspace};

#[test]
fn help_is_as_it_was_read_last() {
    let commands = [
        (
            "qfe-builder",
            [
                "",
                "keygen",
                "build",
                "sign",
                "keyring",
                "keyring sign",
                "keyring check",
                "lint",
                "inspect",
                "compare",
                "delta",
                "draft",
                "article",
            ]
            .as_slice(),
        ),
        (
            "qfe-patcher",
            [
                "", "verify", "apply", "rollback", "recover", "status", "doctor", "ready", "stage",
                "extract", "keys", "delta",
            ]
            .as_slice(),
        ),
    ];
    for (program, commands) in commands {
        let mut text = String::new();
        for command in commands {
            let args: Vec<&str> =
                command.split(' ').chain(["--help"]).filter(|arg| !arg.is_empty()).collect();
            let help = run(program, &args).succeeds();
            text.push_str(&format!("$ {program} {}\n{}\n", args.join(" "), help.stdout.replace(".exe", "")));
        }
        let path = workspace().join("tests/snapshots").join(format!("{program}.txt"));
        if std::env::var_os("QFE_BLESS").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, &text).unwrap();
        }
        let wanted = fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
        assert!(text == wanted, "the help of {program} is not that of {}:\n{text}", path.display());
    }
}
