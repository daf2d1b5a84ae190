//! The table of the command line: every command with every argument it takes.
//!
//! It is the only place that says what can be written. Parsing, help, the classic switches and suggestions read it, and each
//! command takes its values from it by name; a test holds that every argument is taken.

use super::line::{Argument, Command, Program, operand, option, switch};
use super::{apply, delta, doctor, extract, keys, ready, recover, rollback, stage, status, verify};

/// The patcher's command line.
pub(super) static PROGRAM: Program = Program {
    name: env!("CARGO_PKG_NAME"),
    version: env!("CARGO_PKG_VERSION"),
    about: "Applies signed update bundles to server folders, with backup and rollback.",
    more: &[
        "Exit codes are Windows Installer's: 0 done or already current, 1603 failed and rolled back, 1625 not signed by a known \
         key, 1642 wrong target ... (the README has all). On Linux the status is the number's low byte.",
        "Classic switches, in any case, with `/` or `-`: /s or /q quiet, /y undo, /l list, /x or /x:DIR extract, /t dry run, \
         /log:FILE, /norestart, /? help. Without /y, /l, /x or a command's name they go with apply.",
    ],
    commands: &[
        Command {
            name: "verify",
            about: "Checks a bundle: signatures, the digest of every member, and every delta whose old file is at hand",
            more: &[],
            json: "command, outcome (\"verified\"), code, id, revision, signers, key_ring (name, version; null if \
                   it has none), notes, manifest_sha256, members, deltas, deltas_decoded.",
            example: r"verify Q252717.zip --keys vendor.pub --baseline D:\Old",
            arguments: &[
                &[
                    BUNDLE.required(),
                    KEYS.required(),
                    option(
                        "baseline",
                        "DIR",
                        "A folder with old files (searched with its subfolders): deltas from them are decoded",
                    )
                    .often(),
                ],
                OUTPUT,
            ],
            run: verify::run,
        },
        Command {
            name: "apply",
            about: "Applies a bundle to a folder: a site server, or a remote SQL Monitor, Provider or Console",
            more: &[
                "Finishes an interrupted run first, then checks everything, then changes everything or nothing. The old files \
                 are kept in the target's folder `$NtUninstall...$`.",
            ],
            json: "command, outcome (\"changed\", \"already-current\", \"awaits-restart\", or of a dry run \"would-change\"), \
                   code, id, revision, product, target, role, platform, variant (null if the files come in none), dry_run, recorded (whether this run left a record), assumed_build, signers, key_ring (name, version; null if \
                   it has none), downgrade (the revision below which it goes; null if none), recovered (each: id, run, found, did), files (each: path, decision, found_version, found_sha256, wanted_version), services \
                   (each: service, was, start, dependents), registry, notes, before, after. A refusal or failure, of any \
                   command: command, outcome (\"refused\" or \"failed\"), code, error, causes, findings (each: kind, subject, \
                   found, wanted, remedy), hints.",
            example: r"apply E:\Q252717.zip --role site-server --target D:\Sms --keys vendor.pub --services manual --assume-build 1380",
            arguments: &[
                &[
                    BUNDLE.required(),
                    option(
                        "role",
                        "ROLE",
                        "The part the target plays: site-server, sql-monitor, provider, console",
                    )
                    .required_unless("help-roles")
                    .told(),
                    target("The folder to update").required_unless("help-roles"),
                    KEYS.required_unless("help-roles"),
                    PLATFORM,
                    VARIANT,
                    DRY_RUN,
                    switch("yes", "Do not ask"),
                    LOG,
                    MIF,
                    option(
                        "assume-build",
                        "BUILD",
                        "The build of the product on this machine, in place of the registry's",
                    ),
                    option(
                        "site-receipt",
                        "FILE",
                        "The receipt of a machine that comes first, as proof that it was updated",
                    )
                    .excludes("site-server"),
                    option(
                        "site-server",
                        "DIR",
                        "The folder of a machine that comes first, every file of which is looked at, as proof that it was updated",
                    ),
                ],
                MACHINE,
                &[
                    switch(
                        "replace-unknown",
                        "Replace old files that no baseline knows by the whole new file",
                    ),
                    ALLOW_DOWNGRADE,
                    switch(
                        "on-restart",
                        "Where files stay in use, have Windows replace all of them at its next start (exit code 3010)",
                    ),
                ],
                CONTENTION,
                &[switch("help-roles", "List the roles that the bundle defines, and do nothing")],
                OUTPUT,
            ],
            run: apply::run,
        },
        Command {
            name: "rollback",
            about: "Takes an installed update back: every file as it was before, from the backup",
            more: &["Updates are taken back in reverse order of installing. The backup is kept."],
            json: "command, outcome (\"changed\", or of a dry run \"would-change\"), code, id, target, dry_run, recovered, \
                   files (each: path, installed_sha256, original_sha256; the latter null for a file that is removed).",
            example: r"rollback --target D:\Sms Q252717",
            arguments: &[
                &[
                    UPDATE,
                    target("The folder that was updated"),
                    DRY_RUN,
                    LOG,
                    MIF,
                ],
                CONTENTION,
                MACHINE,
                OUTPUT,
            ],
            run: rollback::run,
        },
        Command {
            name: "recover",
            about: "Finishes or undoes a run that was interrupted (apply does it by itself)",
            more: &[],
            json: "command, outcome (\"changed\" or \"already-current\"), code, target, recovered (each: id, run, found, did: \
                   \"discarded\", \"rolled-back\", \"completed\" or \"completed-after-restart\").",
            example: r"recover --target D:\Sms",
            arguments: &[
                &[target("The folder that was being updated")],
                CONTENTION,
                MACHINE,
                OUTPUT,
            ],
            run: recover::run,
        },
        Command {
            name: "status",
            about: "Shows which updates are installed, with every file hashed again from the disk",
            more: &[],
            json: "command, outcome (\"done\"), code, target, updates (each: id, state: \"installed\", \"rolled-back\", \
                   \"interrupted\" or \"awaits-restart\", superseded_by, revision, title, role, platform, sequence, applied_at, \
                   assumed_build, files (each: path, state: \"as-installed\", \"replaced-by-later\", \"changed\", \"newer\", \
                   \"old\" or \"missing\", replaced_by, installed_version, installed_sha256, found_version, found_sha256)).",
            example: r"status --target D:\Sms",
            arguments: &[&[target("The folder")], OUTPUT],
            run: status::run,
        },
        Command {
            name: "doctor",
            about: "Explains what keeps updates from being installed on a machine; with --repair, corrects the version it states",
            more: &[
                "Without a bundle it knows Systems Management Server 2.0. What the version should be is told by the files of the \
                 target, or by --assume-build. A correction is recorded like an update: `rollback doctor` puts the old value \
                 back.",
            ],
            json: "command, outcome (\"fine\", \"changed\", or \"refused\" where something is left that keeps updates from \
                   being installed), code, target, role, stated, evidence, correction (key, value, text, why; null if there is \
                   none), repaired, findings (each: kind, subject, found, wanted, remedy), notes.",
            example: r"doctor --target D:\Sms --registry live --repair",
            arguments: &[
                &[
                    operand(
                        "bundle",
                        "BUNDLE",
                        "A bundle, whose conditions are looked at in place of the built-in ones",
                    )
                    .requires("keys"),
                    target("The folder that updates are for"),
                    KEYS,
                    option(
                        "role",
                        "ROLE",
                        "The part the target plays; without it, the first that the product has",
                    ),
                    switch("repair", "Write the version that the machine should state"),
                    option(
                        "assume-build",
                        "BUILD",
                        "The build of the product on this machine, in place of what its files tell",
                    ),
                    PLATFORM,
                ],
                MACHINE,
                CONTENTION,
                OUTPUT,
            ],
            run: doctor::run,
        },
        Command {
            name: "ready",
            about: "Tells whether targets have the updates that a next step needs, every file looked at again",
            more: &[
                "Without a bundle it knows the sets of Systems Management Server 2.0: sp2, what every site needs before any goes \
                 to Service Pack 2. Ends with 0 if every target is ready and every logon point that was named was refreshed \
                 since.",
            ],
            json: "command, outcome (\"ready\" or \"not-ready\"), code, set, title, targets (each: target, build, ready, updates \
                   (each: id, state: \"installed\", \"superseded\", \"damaged\" or \"missing\", at, by, files)), logon_points \
                   (each: folder, file, written, refreshed), remains (what to wait for; null if nothing).",
            example: r"ready sp2 --target D:\Sms --target \\SITE2\Sms --logon-point \\DC1\SMSLOGON",
            arguments: &[
                &[
                    operand("set", "SET", "The set: sp2, or one that the bundle defines").required(),
                    option("target", "DIR", "A site server's folder").required().lists(),
                    option(
                        "logon-point",
                        "DIR",
                        "A folder whose files the product writes anew once the updates are installed",
                    )
                    .lists(),
                    option(
                        "bundle",
                        "FILE",
                        "A bundle: its sets are used in place of the built-in ones, and its files are known where another \
                         program put them there",
                    )
                    .requires("keys")
                    .lists(),
                    KEYS,
                ],
                OUTPUT,
            ],
            run: ready::run,
        },
        Command {
            name: "stage",
            about: "Puts bundle, patcher and receipt of an updated site server onto a disk or share, for the remote machines",
            more: &[
                "The receipt stands beside the bundle under a name by which `apply` finds it as proof that the site server was \
                 updated.",
            ],
            json: "command, outcome (\"changed\"), code, id, target, to, files.",
            example: r"stage --target D:\Sms --to \\FILES\Q252717",
            arguments: &[
                &[
                    UPDATE,
                    target("The folder that was updated"),
                    option("to", "DIR", "The folder on the disk or share; it is made if it is missing").required(),
                    option(
                        "bundle",
                        "FILE",
                        "The bundle, where it is not any more where it was applied from",
                    ),
                    option("patcher", "FILE", "Another patcher to copy, say for another system").often(),
                ],
                OUTPUT,
            ],
            run: stage::run,
        },
        Command {
            name: "extract",
            about: "Checks a bundle and writes its members into a folder",
            more: &[
                "Members keep the names that they have in the bundle, such as `i386\\Ccm.dll`. No file is ever replaced; where one \
                 cannot be written, those that were are removed again. New files that the bundle holds as deltas only are not \
                 among them.",
            ],
            json: "command, outcome (\"done\"), code, id, revision, signers, folder, members (paths below the folder), \
                   delta_only (how many new files the bundle holds as deltas only).",
            example: r"extract Q252717.zip --to D:\Q252717 --keys vendor.pub",
            arguments: &[
                &[
                    BUNDLE.required(),
                    option(
                        "to",
                        "DIR",
                        "The folder, made if need be; without it, one of the bundle's name in the current folder",
                    ),
                    KEYS.required(),
                    ALLOW_DOWNGRADE,
                ],
                OUTPUT,
            ],
            run: extract::run,
        },
        Command {
            name: "keys",
            about: "Shows the key ring that is believed, and to which later ones it leads",
            more: &[
                "A bundle carries later key rings with their signatures; so may the folder `keyring` beside the ring. Each is \
                 believed by the one before and by itself. With --update the newest takes the place of keyring.toml; nothing \
                 else ever writes there.",
            ],
            json: "command, outcome (\"done\", or of an update \"changed\" or \"already-current\"), code, key_ring (name, \
                   version), trusted_by (the ring that led to it, likewise), missing (a version without which later ones are \
                   not reached), issued, expires, refuses, keys (each: id, name, from, until, revoked), rules (each: product, \
                   empty for the ring's own; threshold, keys), floors (each: update, revision). What there is not is null.",
            example: r"keys Q252717.zip --keys D:\Keys --update",
            arguments: &[
                &[
                    operand("bundle", "BUNDLE", "A bundle, whose key rings are followed too"),
                    KEYS.required(),
                    switch("update", "Write the newest ring in the place of the trusted one"),
                ],
                OUTPUT,
            ],
            run: keys::run,
        },
        Command {
            name: "delta",
            about: "Makes a new file from an old one and a delta",
            more: &["Takes what `qfe-builder delta` and the stock `bsdiff` make. Never replaces a file."],
            json: "command, outcome (\"done\"), code, codec, size, sha256.",
            example: r"delta Ccm.dll Ccm.delta --output New\Ccm.dll",
            arguments: &[
                &[
                    operand("old", "OLD", "The old file").required(),
                    operand("patch", "PATCH", "The delta").required(),
                    option("output", "NEW", "The new file").short('o').required(),
                ],
                OUTPUT,
            ],
            run: delta::run,
        },
    ],
};

/// The folder that a command works on.
const fn target(help: &'static str) -> Argument {
    option("target", "DIR", help).required().told()
}

const BUNDLE: Argument = operand("bundle", "BUNDLE", "The bundle");
const UPDATE: Argument = operand(
    "id",
    "ID",
    "The update; without it, the one that this program is a bundle of, else the one installed last",
);
const KEYS: Argument =
    option("keys", "KEYS", "The vendor's public key file or keyring.toml, or a folder of them");
const PLATFORM: Argument =
    option("platform", "PLATFORM", "i386 or alpha; without it, what the files of the target are for");
const VARIANT: Argument = option(
    "variant",
    "VARIANT",
    "Which of the bundle's variants; without it, the one whose language the files of the target have",
);
const DRY_RUN: Argument = switch("dry-run", "Show what would be done, and change nothing");
const ALLOW_DOWNGRADE: Argument = switch(
    "allow-downgrade",
    "Take a revision that is older than the installed one, or was withdrawn; it is recorded",
);
const LOG: Argument = option("log", "FILE", "Write a log of this run there too, also where it is refused");
const MIF: Argument = option(
    "mif",
    "FILE",
    "Write there (FILE.mif) how the run ended as a status MIF, which SMS reads in place of the exit code",
);

/// How the machine is reached; see [`super::machine`].
const MACHINE: &[Argument] = &[
    option(
        "services",
        "WHO",
        "Who stops and starts services: scm (this program, on this machine), rpc:SERVER (on another machine), manual (you, as \
         the plan lists), none (they do not run)",
    ),
    option(
        "registry",
        "WHERE",
        "Where the registry is: live (this machine's), rpc:SERVER, an export (FILE.reg) or hive file, none",
    ),
    option(
        "credentials",
        "FILE",
        "A file with username, password and domain for rpc:SERVER, as `smbclient -A` takes it",
    ),
];

/// What is done where others are at the target; see [`super::contention`].
const CONTENTION: &[Argument] = &[
    option("wait", "SECONDS", "How long to wait for another run to end, and for files that are in use")
        .default("5"),
    option("service-wait", "SECONDS", "How long to wait for a service to stop or to start").default("120"),
    switch("break-lock", "Take the target from a run of another machine that is known to be dead"),
];

/// Switches of every command.
const OUTPUT: &[Argument] = &[
    switch("json", "Print one JSON object on standard output; everything for people goes to standard error"),
    switch("quiet", "Print results and errors only").short('q'),
];

#[cfg(test)]
mod tests {
    use super::super::failure::Failure;
    use super::super::line::{Given, Meant, parse};
    use super::*;

    type Take = fn(&mut Given) -> Result<(), Failure>;

    /// A command without an entry here is missing from the test below, which then fails.
    const TAKES: [(&str, Take); 11] = [
        ("verify", |given| verify::VerifyArgs::take(given).map(drop)),
        ("apply", |given| apply::ApplyArgs::take(given).map(drop)),
        ("rollback", |given| rollback::RollbackArgs::take(given).map(drop)),
        ("recover", |given| recover::RecoverArgs::take(given).map(drop)),
        ("status", |given| status::StatusArgs::take(given).map(drop)),
        ("doctor", |given| doctor::DoctorArgs::take(given).map(drop)),
        ("ready", |given| ready::ReadyArgs::take(given).map(drop)),
        ("stage", |given| stage::StageArgs::take(given).map(drop)),
        ("extract", |given| extract::ExtractArgs::take(given).map(drop)),
        ("keys", |given| keys::KeysArgs::take(given).map(drop)),
        ("delta", |given| delta::DeltaArgs::take(given).map(drop)),
    ];

    /// Returns words that give every argument of a command, but not two that exclude one another.
    fn all_arguments(command: &Command) -> Vec<std::ffi::OsString> {
        let mut words = vec![command.name.to_owned()];
        for argument in command.all().filter(|argument| !argument.has_long("site-receipt")) {
            words.extend(argument.long().map(|name| format!("--{name}")));
            if argument.long().is_none() || argument.is_option() {
                let value = if argument.has_long("platform") { "i386" } else { "1" };
                words.push(if argument.has_long("services") { "none" } else { value }.to_owned());
            }
        }
        words.into_iter().map(Into::into).collect()
    }

    #[test]
    fn every_argument_of_the_table_is_taken() {
        assert!(PROGRAM.commands.iter().map(|command| command.name).eq(TAKES.map(|(name, _)| name)));
        for (command, (_, take)) in PROGRAM.commands.iter().zip(TAKES) {
            let Meant::Run(_, mut given) = parse(&PROGRAM, &all_arguments(command), None).unwrap() else {
                panic!()
            };
            assert_eq!(
                given.arguments().count(),
                command.all().filter(|it| !it.has_long("site-receipt")).count()
            );
            // The program itself takes these two, for every command.
            assert!(given.is_set("json") && given.is_set("quiet"), "{}", command.name);
            take(&mut given).unwrap();
            assert_eq!(
                given.arguments().map(Argument::written).collect::<Vec<_>>(),
                [""; 0],
                "{}",
                command.name
            );
        }
    }

    #[test]
    fn no_name_is_there_twice_and_every_reference_leads_somewhere() {
        for command in PROGRAM.commands {
            for (index, argument) in command.all().enumerate() {
                assert!(command.all().skip(index + 1).all(|other| !argument.clashes_with(other)));
                assert!(argument.references().all(|name| command.argument(name).is_some()), "{argument:?}");
            }
        }
    }

    /// An example in help that its own program refuses would be worse than none.
    #[test]
    fn every_example_is_understood() {
        for command in PROGRAM.commands {
            let words: Vec<_> = command.example.split(' ').map(Into::into).collect();
            assert!(
                matches!(parse(&PROGRAM, &words, None), Ok(Meant::Run(meant, _)) if meant.name == command.name)
            );
        }
    }
}
