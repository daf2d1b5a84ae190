//! The live registry: what the product states there, what the doctor corrects, what an update records.
//!
//! The product is of 32 bits: on a Windows of 64 its keys are below `Wow6432Node`, and a patcher of either kind must see
//! and write them there.

use qfe_patcher::exit::ExitCode;
use qfe_tests::wine::Bits;

use crate::live::SETUP;
use crate::site::{Site, ends};

/// The same key for programs of 64 bits.
const REDIRECTED: &str = r"HKEY_LOCAL_MACHINE\SOFTWARE\Wow6432Node\Microsoft\SMS\Setup";
const UPDATES: &str = r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Updates";
const RECORD: &str = r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Updates\SMS 2.0\SP1\Q252717";
const REDIRECTED_RECORD: &str =
    r"HKEY_LOCAL_MACHINE\SOFTWARE\Wow6432Node\Microsoft\Updates\SMS 2.0\SP1\Q252717";

fn text(contents: &str) -> Option<(String, String)> {
    Some(("REG_SZ".to_owned(), contents.to_owned()))
}

#[test]
fn the_keys_are_those_of_programs_of_32_bits() {
    for site in Site::each_live() {
        let machine = &site.machine;
        assert_eq!(machine.registry_value(Bits::B64, REDIRECTED, "Full Version"), text("2.00.1380.1000"));
        // What stands in the other keys is not the product's.
        machine.write_registry(Bits::B64, &format!("[{SETUP}]\n\"Full Version\"=\"2.00.1239.0000\""));
        ends(site.update(&[]), ExitCode::Success);
        site.is_new();
        machine.remove_registry(Bits::B32, SETUP, Some("Full Version"));
        let refused = ends(site.update(&["--dry-run"]), ExitCode::WrongTarget);
        refused.says(&["no such value"]);
    }
}

#[test]
fn an_update_is_recorded_and_its_rollback_leaves_no_key_of_it() {
    for site in Site::each_live() {
        let machine = &site.machine;
        assert!(
            !machine.has_registry_key(Bits::B32, UPDATES),
            "it has to be made, so that it can be removed"
        );
        ends(site.update(&[]), ExitCode::Success);
        let value = |name| machine.registry_value(Bits::B32, RECORD, name);
        assert_eq!(value("Type"), text("Update"));
        assert_eq!(value("Revision"), text("1"));
        assert!(value("Description").is_some_and(|(_, title)| title.contains("CCM")));
        assert!(value("InstalledDate").is_some_and(|(_, day)| day.len() == "2001-02-03".len()));
        assert_eq!(machine.registry_value(Bits::B64, REDIRECTED_RECORD, "Revision"), text("1"));
        assert!(!machine.has_registry_key(Bits::B64, RECORD));

        ends(site.run("rollback"), ExitCode::Success);
        assert!(!machine.has_registry_key(Bits::B32, UPDATES));
        assert_eq!(machine.registry_value(Bits::B32, SETUP, "Full Version"), text("2.00.1380.1000"));
    }
}

#[test]
fn a_machine_without_a_version_is_refused_until_the_doctor_has_corrected_it_and_that_can_be_undone() {
    for site in Site::each_live() {
        let machine = &site.machine;
        let version = || machine.registry_value(Bits::B32, SETUP, "Full Version");
        for stated in [None, Some("")] {
            machine.remove_registry(Bits::B32, SETUP, Some("Full Version"));
            if let Some(stated) = stated {
                site.state(&format!("\"Full Version\"=\"{stated}\""));
            }
            let before = version();
            ends(site.update(&[]), ExitCode::WrongTarget).says(&["Full Version", "doctor --repair"]);
            site.is_old();
            let diagnosis = ends(site.run("doctor"), ExitCode::WrongTarget).json();
            assert_eq!(diagnosis["correction"]["text"], "2.00.1380.1000", "{diagnosis}");
            assert_eq!(version(), before, "it only looked");

            ends(site.run_with("doctor", &["--repair"]), ExitCode::Success);
            assert_eq!(version(), text("2.00.1380.1000"));
            ends(site.update(&[]), ExitCode::Success);
            site.is_new();
            ends(site.run_with("rollback", &["doctor"]), ExitCode::UndoOrder);
            ends(site.run("rollback"), ExitCode::Success);
            assert_eq!(version(), text("2.00.1380.1000"));
            ends(site.run_with("rollback", &["doctor"]), ExitCode::Success);
            assert_eq!(version(), before);
            // Its records, so that the next round finds the machine as it was.
            site.state("\"Full Version\"=\"2.00.1380.1000\"");
        }
    }
}

#[test]
fn a_type_that_is_no_sites_and_a_provider_elsewhere_are_seen() {
    for site in Site::each_live() {
        let machine = &site.machine;
        let own = r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\ComputerName\ComputerName";
        let (_, own) = machine.registry_value(Bits::B32, own, "ComputerName").unwrap();
        let says_provider = |run: &serde_json::Value| run["after"].to_string().contains("SMS Provider");
        site.state(&format!("\"Provider Location\"=\"{}\"", own.to_lowercase()));
        let planned = ends(site.update(&["--dry-run"]), ExitCode::Success).json();
        assert!(!says_provider(&planned), "{planned}");
        site.state("\"Provider Location\"=\"OTHER1\"");
        let planned = ends(site.update(&["--dry-run"]), ExitCode::Success).json();
        assert!(says_provider(&planned) && planned["after"].to_string().contains("OTHER1"), "{planned}");
        // A console that was installed on a secondary site did that.
        site.state("\"Type\"=dword:00000006");
        ends(site.update(&[]), ExitCode::WrongTarget).says(&["'Type'", "\"6\"", "1 on a primary or 2"]);
        site.is_old();
    }
}

#[test]
fn a_rename_that_waits_for_the_restart_forbids_the_run_only_where_it_names_a_file_of_the_update() {
    const MANAGER: &str = r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\Session Manager";
    for site in Site::each_live() {
        let pending = |path: &str| {
            let hex: String = path.bytes().chain([0, 0, 0]).map(|byte| format!("{byte:02x},")).collect();
            let hex = hex.trim_end_matches(',');
            let lines = format!("[{MANAGER}]\n\"PendingFileRenameOperations\"=hex(7):{hex}");
            site.machine.write_registry(Bits::B64, &lines);
        };
        pending(r"\??\C:\Sms\Bin\i386\Hman.dll");
        let planned = ends(site.update(&["--dry-run"]), ExitCode::Success).json();
        assert!(planned["notes"].to_string().contains("Hman.dll"), "{planned}");
        pending(r"\??\C:\Sms\Bin\i386\CCM.DLL");
        ends(site.update(&[]), ExitCode::WrongTarget).says(&["Ccm.dll", "Restart the machine"]);
        site.is_old();
    }
}
