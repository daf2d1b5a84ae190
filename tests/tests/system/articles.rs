//! One test for each article that tells how updates are installed, and how they were not: what it asks for is done, and
//! where it tells of a failure in silence there is a refusal with its remedy.

use std::fs;
use std::path::PathBuf;

use qfe_patcher::exit::ExitCode;
use qfe_tests::args;
use qfe_tests::crash::machine::{run_apply, run_rollback};
use qfe_tests::crash::servers;
use qfe_tests::programs::patcher;
use qfe_tests::samples::{Server, tiny, workshop};
use qfe_tests::tree;
use qfe_tests::updates::{Fix, Site, image};
use serde_json::Value;

/// What the remedy of a missing or wrong version names.
const VERSION_VALUE: &str = r"HKLM\SOFTWARE\Microsoft\SMS\Setup 'Full Version'";

/// Returns a primary site with the old files of a fix in `Bin/<platform>`.
fn site_for(fix: &Fix, platform: &str, files: &[&str]) -> Site {
    let site = Site::primary();
    for name in files {
        site.put(&format!("Bin/{platform}/{name}"), &fix.file("baseline", platform, name));
    }
    site
}

fn text_of(value: &Value) -> String {
    value.to_string()
}

/// The SP1 fix and its three files, in the four roles, on both platforms.
#[test]
fn q252717_all_roles_on_both_platforms_and_a_rerun_is_already_current() {
    let sample = workshop().sample("Q252717");
    for platform in ["i386", "alpha"] {
        let old = |name: &str| fs::read(sample.join("baseline").join(platform).join(name)).unwrap();
        let new = |name: &str| fs::read(sample.join("update").join(platform).join(name)).unwrap();
        let names = ["Ccm.dll", "Ccmbtldr.exe", "Baseobj.dll"];
        let mut receipt: Option<PathBuf> = None;
        let mut machines = Vec::new();
        for (role, folder) in [
            ("site-server", format!("Bin/{platform}/")),
            ("sql-monitor", String::new()),
            ("provider", format!("BIN/{}/", platform.to_uppercase())),
            ("console", format!("Bin/{platform}/")),
        ] {
            let site = Site::primary();
            for name in names {
                site.put(&format!("{folder}{name}"), &old(name));
            }
            let proof: Vec<String> = receipt.iter().map(|path| path.to_str().unwrap().to_owned()).collect();
            let proof: Vec<&str> = proof.iter().flat_map(|path| ["--site-receipt", path]).collect();
            let first = site.apply(&workshop().bundle(), role, &proof).succeeds().json();
            assert_eq!(
                (&first["outcome"], &first["platform"]),
                (&"changed".into(), &platform.into()),
                "{role}"
            );
            for name in names {
                assert!(site.read(&format!("{folder}{name}")) == new(name), "{role} {name}");
            }
            let again = site.apply(&workshop().bundle(), role, &proof).succeeds().json();
            assert_eq!(again["outcome"], "already-current", "{role}");
            receipt.get_or_insert_with(|| site.path("$NtUninstallQ252717$/receipt.json"));
            site.run("rollback", &[]).succeeds();
            for name in names {
                assert!(site.read(&format!("{folder}{name}")) == old(name), "{role} {name}");
            }
            site.apply(&workshop().bundle(), role, &proof).succeeds();
            machines.push(site);
        }
    }
}

/// Secondary sites without `Full Version`: the original copied nothing and seemed to succeed.
#[test]
fn q267258_a_missing_full_version_is_a_refusal_and_the_doctor_repairs_it() {
    let server = Server::new("i386");
    for values in [
        "\"Type\"=dword:2\r\n",
        "\"Full Version\"=\"\"\r\n\"Type\"=dword:2\r\n",
        "\"Full Version\"=\"000\"\r\n\"Type\"=dword:2\r\n",
    ] {
        let site = Site::new(values);
        tree::copy(server.root(), &site.root());
        let before = tree::read(&site.root());
        let refused = site.apply(&workshop().bundle(), "site-server", &[]).ends(ExitCode::WrongTarget);
        let finding = &refused.json()["findings"][0];
        assert_eq!(
            (&finding["subject"], &finding["wanted"]),
            (&VERSION_VALUE.into(), &"2.00.1380.1000".into())
        );
        assert!(text_of(&finding["remedy"]).contains("2.00.1380.1000"), "{finding}");
        assert!(tree::read(&site.root()) == before, "{values}");

        let export = fs::read(site.registry()).unwrap();
        let found = site.doctor(&[]).ends(ExitCode::WrongTarget).json();
        assert_eq!(found["correction"]["text"], "2.00.1380.1000", "{found}");
        assert!(fs::read(site.registry()).unwrap() == export, "it only looked");
        let repaired = site.doctor(&["--repair"]).succeeds().json();
        assert_eq!((&repaired["outcome"], &repaired["stated"]), (&"changed".into(), &"2.0.1380.1000".into()));
        assert_eq!(site.doctor(&["--repair"]).succeeds().json()["outcome"], "fine");
        site.apply(&workshop().bundle(), "site-server", &[]).succeeds();

        // Newest first: the update, then the correction.
        let registry = site.registry().to_str().unwrap();
        site.run("rollback", &["doctor"]).ends(ExitCode::UndoOrder);
        site.run("rollback", &[]).succeeds();
        site.run("rollback", &["doctor", "--registry", registry]).succeeds();
        let again = site.apply(&workshop().bundle(), "site-server", &[]).ends(ExitCode::WrongTarget);
        assert!(again.json()["findings"][0]["subject"] == VERSION_VALUE, "the old value is back");
    }
}

/// A console installed on a secondary site had changed `Type`: the log was written, the files were not.
#[test]
fn q273853_a_type_that_is_neither_1_nor_2_is_a_refusal() {
    let site = Site::new("\"Full Version\"=\"2.00.1380.1000\"\r\n\"Type\"=dword:00000006\r\n");
    tree::copy(Server::new("alpha").root(), &site.root());
    let refused = site.apply(&workshop().bundle(), "site-server", &[]).ends(ExitCode::WrongTarget);
    let finding = &refused.json()["findings"][0];
    assert_eq!((&finding["found"], &finding["wanted"]), (&"\"6\"".into(), &"1 or 2".into()));
    assert!(text_of(&finding["remedy"]).contains("2 on a secondary site"), "{finding}");
    assert!(text_of(&site.doctor(&[]).ends(ExitCode::WrongTarget).json()["findings"]).contains("Type"));
    site.state("\"Full Version\"=\"2.00.1380.1000\"\r\n\"Type\"=dword:00000002\r\n");
    assert_eq!(site.apply(&workshop().bundle(), "site-server", &[]).succeeds().json()["outcome"], "changed");
}

/// A rollup with tools that are run by hand, one before and one after.
#[test]
fn q250850_a_rollup_shows_its_tools_and_stops_the_monitor_where_it_is() {
    let fix = Fix::new("Q250850", 1380, "")
        .image("Ad_adm.dll", "2.0.1380.1000", "2.0.1380.1018", "")
        .image("Basesvr.dll", "2.0.1380.1000", "2.0.1380.1036", "")
        .with(
            "[[step]]\nwhen = 'before'\nroles = ['site-server']\ntext = 'Run Preinst.exe /stopsite and wait for it.'\n\
             [[step]]\nwhen = 'after'\nroles = ['site-server']\ntext = 'Run Conv20.exe, which updates the SMS database.'\n",
        );
    let site = site_for(&fix, "i386", &["Ad_adm.dll", "Basesvr.dll"]);
    let bundle = fix.build();
    let result = site.apply(&bundle, "site-server", &[]).succeeds().json();
    assert!(text_of(&result["before"]).contains("Preinst.exe /stopsite"));
    assert!(
        text_of(&result["before"]).contains("SMS_SQL_MONITOR or SMS_SQL_MONITOR_..., if the machine has it")
    );
    assert!(text_of(&result["after"]).contains("Conv20.exe"));
    let provider = site_for(&fix, "i386", &["Basesvr.dll"]);
    let receipt = site.path("$NtUninstallQ250850$/receipt.json");
    let proof = ["--site-receipt", receipt.to_str().unwrap()];
    let result = provider.apply(&bundle, "provider", &proof).succeeds().json();
    assert!(!text_of(&result["after"]).contains("Conv20.exe"), "that is the site server's");
    assert!(text_of(&result["before"]).contains("WinMgmt"));
}

/// A rollup that takes the place of other fixes, with an SQL script for the database server.
#[test]
fn q324204_a_rollup_supersedes_earlier_fixes_and_leaves_its_script_to_the_admin() {
    let first = Fix::new("Q305096", 1493, "").image("Colleval.dll", "2.0.1493.3000", "2.0.1493.3213", "");
    let rollup = Fix::new("Q324204", 1493, "supersedes = ['Q305096', 'Q307434']\nrequires = []")
        .image("Colleval.dll", "2.0.1493.3000", "2.0.1493.3246", "")
        .image("Smsprov.dll", "2.0.1493.3000", "2.0.1493.3244", "register = true")
        .with("[[step]]\nwhen = 'after'\nroles = ['site-server']\ntext = 'Run Update.sql against the SMS database.'\n");
    let site = site_for(&rollup, "alpha", &["Smsprov.dll"]);
    site.put("Bin/alpha/Colleval.dll", &first.file("baseline", "alpha", "Colleval.dll"));
    site.state("\"Full Version\"=\"2.00.1493.3000\"\r\n\"Type\"=dword:1\r\n");
    site.apply(&first.build(), "site-server", &[]).succeeds();
    let result = site.apply(&rollup.build(), "site-server", &[]).succeeds().json();
    assert!(text_of(&result["after"]).contains("Update.sql"));
    assert!(site.read("Bin/alpha/Colleval.dll") == rollup.file("update", "alpha", "Colleval.dll"));
    let status = site.run("status", &[]).succeeds().json();
    let of =
        |id: &str| status["updates"].as_array().unwrap().iter().find(|it| it["id"] == id).unwrap().clone();
    assert_eq!(of("Q305096")["superseded_by"], "Q324204");
}

/// The Provider: a COM server, on the site server or elsewhere.
#[test]
fn q269832_the_provider_is_registered_again_and_its_place_is_known() {
    let fix = Fix::new("Q269832", 1380, "").image(
        "Smsprov.dll",
        "2.0.1380.1000",
        "2.0.1380.2157",
        "register = true",
    );
    let bundle = fix.build();
    let site = site_for(&fix, "i386", &["Smsprov.dll"]);
    let result = site.apply(&bundle, "site-server", &["--dry-run"]).succeeds().json();
    let (before, after) = (text_of(&result["before"]), text_of(&result["after"]));
    let at = |text: &str, part: &str| text.find(part).unwrap_or_else(|| panic!("{part} is not in {text}"));
    assert!(at(&before, "stop the service WinMgmt") < at(&before, "regsvr32 /u Bin/i386/Smsprov.dll"));
    assert!(at(&after, "regsvr32 Bin/i386/Smsprov.dll") < at(&after, "start the service WinMgmt"));
    // Files that Windows Management does not hold leave it alone.
    let other = Fix::new("Q1", 1380, "").image("Ccm.dll", "2.0.1380.1000", "2.0.1380.1125", "");
    let plain = site_for(&other, "i386", &["Ccm.dll"]);
    let result = plain.apply(&other.build(), "site-server", &["--dry-run"]).succeeds().json();
    assert!(!text_of(&result["before"]).contains("WinMgmt"));
    // On another machine: told on the site server.
    site.state(
        "\"Full Version\"=\"2.00.1380.1000\"\r\n\"Type\"=dword:1\r\n\"Provider Location\"=\"SQL9\"\r\n\
         [HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Control\\ComputerName\\ComputerName]\r\n\
         \"ComputerName\"=\"SITE1\"\r\n",
    );
    let result = site.apply(&bundle, "site-server", &[]).succeeds().json();
    assert!(text_of(&result["after"]).contains("SQL9"), "{}", result["after"]);
    // And a provider's role is refused where the Provider is not.
    let receipt = site.path("$NtUninstallQ269832$/receipt.json");
    let wrong = site_for(&fix, "i386", &["Smsprov.dll"]);
    fs::copy(site.registry(), wrong.registry()).unwrap();
    let proof = ["--site-receipt", receipt.to_str().unwrap()];
    let refused = wrong.apply(&bundle, "provider", &proof).ends(ExitCode::WrongTarget).json();
    assert_eq!(refused["findings"][0]["found"], "SQL9", "{refused}");
}

/// Console files, of which two of three are COM servers; consoles come after the site servers.
#[test]
fn q305096_consoles_come_after_site_servers_and_two_of_three_files_are_registered() {
    let fix = Fix::new("Q305096", 1493, "")
        .image("Sms_pcol.dll", "2.0.1493.3000", "2.0.1493.3213", "register = true")
        .image("Sms_pqry.dll", "2.0.1493.3000", "2.0.1493.3213", "register = true")
        .image("Mmcbasui.dll", "2.0.1493.3000", "2.0.1493.3200", "");
    let names = ["Sms_pcol.dll", "Sms_pqry.dll", "Mmcbasui.dll"];
    let bundle = fix.build();
    let make = || {
        let site = site_for(&fix, "i386", &names);
        site.state("\"Full Version\"=\"2.00.1493.3000\"\r\n\"Type\"=dword:1\r\n");
        site
    };
    let (site, console) = (make(), make());
    let folder = site.root();
    let proof = ["--site-server", folder.to_str().unwrap()];
    let refused = console.apply(&bundle, "console", &proof).ends(ExitCode::WrongTarget).json();
    assert_eq!(refused["findings"][0]["kind"], "order", "{refused}");
    site.apply(&bundle, "site-server", &[]).succeeds();
    let result = console.apply(&bundle, "console", &proof).succeeds().json();
    let count =
        |list: &Value| list.as_array().unwrap().iter().filter(|it| text_of(it).contains("regsvr32")).count();
    assert_eq!((count(&result["before"]), count(&result["after"])), (2, 2));
    assert!(!text_of(&result["before"]).contains("stop"), "a console has no services");
}

/// Client programs that the product checks by CRC: into `Bin`, into the clients' source, with `Compver.ini`.
#[test]
fn q246331_client_files_go_to_every_place_that_the_product_reads() {
    let source = "Inboxes/Clicomp.src/Hinv";
    let fix = Fix::new("Q246331", 1380, "")
        .image(
            "Hinv32.exe",
            "2.0.1380.1000",
            "2.0.1380.1132",
            &format!("roles = ['site-server']\nto = ['Bin/{{platform}}', '{source}/{{platform}}']"),
        )
        .text("Compver.ini", "1380.1000", "1380.1132", &format!("roles = ['site-server']\nto = '{source}'"));
    let site = site_for(&fix, "i386", &["Hinv32.exe"]);
    site.put(&format!("{source}/i386/Hinv32.exe"), &fix.file("baseline", "i386", "Hinv32.exe"));
    site.put(&format!("{source}/Compver.ini"), b"1380.1000");
    let before = tree::read_product(&site.root());
    site.apply(&fix.build(), "site-server", &[]).succeeds();
    for place in ["Bin/i386", &format!("{source}/i386")] {
        let new = fix.file("update", "i386", "Hinv32.exe");
        assert!(site.read(&format!("{place}/Hinv32.exe")) == new, "{place}");
    }
    assert_eq!(site.read(&format!("{source}/Compver.ini")), b"1380.1132");
    site.run("rollback", &[]).succeeds();
    assert!(tree::read_product(&site.root()) == before);
}

/// Each language has its own build of the same fix: an old file of another one is not known.
#[test]
fn q246842_an_old_file_of_another_language_is_refused() {
    let fix = Fix::new("Q246842", 1380, "").image("Ldwmnt.dll", "2.0.1380.1000", "2.0.1380.1132", "");
    let site = Site::primary().with("Bin/i386/Ldwmnt.dll", &image("i386", "2.0.1380.1000", "French"));
    let refused = site.apply(&fix.build(), "site-server", &[]).ends(ExitCode::WrongTarget).json();
    assert_eq!(refused["findings"][0]["kind"], "unknown-old-file");
    assert!(text_of(&refused["findings"][0]["remedy"]).contains("another language"));
}

/// Two updates for each build before any site goes to Service Pack 2; then the wait for `Copylog.tcf`.
#[test]
fn q261931_ready_tells_which_sites_have_both_updates_and_what_is_waited_for() {
    let second = workshop().path("ready-Q249077.zip");
    workshop().build("Q249077", &second, &[]).succeeds();
    let [one, two] = ["i386", "alpha"].map(Server::new);
    let logon = Site::primary().with("Config/Copylog.tcf", b"log");
    let ready = |more: &[&str]| {
        let args = args!["ready", "sp2", "--target", one.root(), two.root(), "--json"];
        patcher(args.into_iter().chain(more.iter().map(Into::into)))
    };
    let states = |json: &Value, target: usize| {
        let updates = json["targets"][target]["updates"].as_array().unwrap().clone();
        updates.iter().map(|it| format!("{} {}", it["id"], it["state"]).replace('"', "")).collect::<Vec<_>>()
    };
    let none = ready(&[]).ends(ExitCode::WrongTarget).json();
    assert_eq!(states(&none, 0), ["Q249077 missing", "Q252717 missing"]);
    assert_eq!(none["targets"][0]["build"], 1380, "by its files");
    for bundle in [&workshop().bundle(), &second] {
        one.apply(bundle).succeeds();
    }
    two.apply(&workshop().bundle()).succeeds();
    let partly = ready(&[]).ends(ExitCode::WrongTarget).json();
    assert_eq!(
        (&partly["targets"][0]["ready"], &partly["targets"][1]["ready"]),
        (&true.into(), &false.into())
    );
    assert_eq!(states(&partly, 1), ["Q249077 missing", "Q252717 installed"]);
    two.apply(&second).succeeds();
    let all = ready(&[]).succeeds().json();
    assert!(text_of(&all["remains"]).contains("Copylog.tcf"), "{all}");
    // As long as the file is older than the updates, the sites are not.
    let folder = logon.root();
    let point = ["--logon-point", folder.to_str().unwrap()];
    let set_time = |seconds| {
        let file = fs::File::options().append(true).open(logon.path("Config/Copylog.tcf")).unwrap();
        file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds)).unwrap();
    };
    set_time(949_056_540);
    let stale = ready(&point).ends(ExitCode::WrongTarget).json();
    assert_eq!(stale["logon_points"][0]["refreshed"], false);
    set_time(4_000_000_000);
    let fresh = ready(&point).succeeds().json();
    assert_eq!((&fresh["outcome"], &fresh["remains"]), (&"ready".into(), &Value::Null));
    // Readiness is what the disk says, not the records.
    fs::write(two.bin().join("Ccm.dll"), "damaged").unwrap();
    assert_eq!(
        states(&ready(&point).ends(ExitCode::WrongTarget).json(), 1),
        ["Q249077 installed", "Q252717 damaged"]
    );
    patcher(args!["ready", "sp9", "--target", one.root()]).ends(ExitCode::BadCommandLine).says(&["sp2"]);
}

/// An installed update is recorded below `Updates\SMS 2.0`, by the release of the site; a rollback removes that.
#[test]
fn q258149_an_update_is_recorded_in_the_registry_and_a_rollback_removes_the_record() {
    let [old, new, _] = servers("i386");
    let key = r"hklm\software\microsoft\updates\sms 2.0\sp1\t1";
    assert!(!old.values().contains_key(key));
    let values = new.values()[key].clone();
    assert_eq!(values["installeddate"].as_text().as_deref(), Some("2000-01-28"));
    run_rollback(&new).unwrap();
    assert!(new.values() == old.values(), "{:?}", new.values());
    run_apply(&new, tiny()).unwrap();
    assert!(new.values().contains_key(key));
}

/// Backups in `$NtUninstallQnnnnnn$`; updates that replace the same file are removed in reverse order.
#[test]
fn q184305_what_was_installed_last_is_removed_first() {
    let first = Fix::new("Q1", 1380, "").image("Ccm.dll", "2.0.1380.1000", "2.0.1380.1100", "");
    let second = Fix::new("Q2", 1380, "").image("Ccm.dll", "2.0.1380.1100", "2.0.1380.1125", "");
    let site = site_for(&first, "i386", &["Ccm.dll"]);
    site.apply(&first.build(), "site-server", &[]).succeeds();
    site.apply(&second.build(), "site-server", &[]).succeeds();
    assert!(site.path("$NtUninstallQ1$/0001/backup/Bin/i386/Ccm.dll").exists());
    site.run("rollback", &["Q1"]).ends(ExitCode::UndoOrder).says(&["Q2"]);
    site.run("rollback", &["Q2"]).succeeds();
    assert!(site.read("Bin/i386/Ccm.dll") == first.file("update", "i386", "Ccm.dll"));
    site.run("rollback", &["Q1"]).succeeds();
    assert!(site.read("Bin/i386/Ccm.dll") == first.file("baseline", "i386", "Ccm.dll"));
}

/// After a service pack has replaced the files, undoing the fix would put stale ones back.
#[test]
fn q194334_a_fix_is_not_undone_under_a_later_service_pack() {
    let fix = Fix::new("Q1", 1380, "").image("Ccm.dll", "2.0.1380.1000", "2.0.1380.1125", "");
    let site = site_for(&fix, "i386", &["Ccm.dll"]);
    site.apply(&fix.build(), "site-server", &[]).succeeds();
    let of_service_pack = image("i386", "2.0.1493.2009", "SP2");
    site.put("Bin/i386/Ccm.dll", &of_service_pack);
    site.run("rollback", &[]).ends(ExitCode::UndoOrder).says(&["stale"]);
    assert!(site.read("Bin/i386/Ccm.dll") == of_service_pack);
    let again = site.apply(&fix.build(), "site-server", &[]).succeeds().json();
    assert_eq!(again["files"][0]["decision"], "newer-on-target");
}

/// The product leaves a pending rename of its own behind: a note, unless it names a file of the update.
#[test]
fn q287615_pending_renames_of_other_files_are_noted_and_of_ours_refused() {
    let renames = |path: &str| {
        let units = format!("{path}\0\0\0").encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        let hex: Vec<String> = units.iter().map(|byte| format!("{byte:02x}")).collect();
        format!(
            "\"Full Version\"=\"2.00.1380.1000\"\r\n\"Type\"=dword:1\r\n\
             [HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Control\\Session Manager]\r\n\
             \"PendingFileRenameOperations\"=hex(7):{}\r\n",
            hex.join(",")
        )
    };
    let fix = Fix::new("Q1", 1380, "").image("Ccm.dll", "2.0.1380.1000", "2.0.1380.1125", "");
    let site = site_for(&fix, "i386", &["Ccm.dll"]);
    let bundle = fix.build();
    site.state(&renames(r"\??\D:\SMS\bin\i386\ccm.dll"));
    let refused = site.apply(&bundle, "site-server", &[]).ends(ExitCode::WrongTarget).json();
    assert!(text_of(&refused["findings"][0]["remedy"]).contains("Restart"), "{refused}");
    site.state(&renames(r"\??\C:\WINNT\system32\drivers\Kbstuff.sys"));
    let result = site.apply(&bundle, "site-server", &[]).succeeds().json();
    assert!(text_of(&result["notes"]).contains("Kbstuff.sys"), "{result}");
}

/// Exit codes that software distribution understands: 3010 is the only success that is not 0.
#[test]
fn q263700_only_done_and_restart_pending_are_successes() {
    let successes: Vec<u16> =
        ExitCode::ALL.iter().filter(|code| code.word() == "done").map(|code| code.number()).collect();
    assert_eq!(successes, [0, 3010]);
    assert!(!ExitCode::ALL.iter().any(|code| code.number() == 1604), "no run is ever suspended");
}
