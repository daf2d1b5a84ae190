//! The whole job on a remote machine, from Linux: its share mounted, its services and registry over the network.

use std::ffi::OsString;
use std::time::Duration;

use qfe_patcher::exit::ExitCode;
use qfe_patcher::host::RegistryAt;
use qfe_patcher::registry::{RegistryKey, RegistryValue};
use qfe_tests::args;
use qfe_tests::programs::Run;
use qfe_tests::samples::workshop;
use qfe_tests::share::{Machine, Share, User, until};

use crate::site::Site;

const SERVER: &str = "rpc:127.0.0.1";
const RECORD: &str = r"HKLM\SOFTWARE\Microsoft\Updates\SMS 2.0\SP1\T1";
const SERVICES: [&str; 2] = ["SMS_SITE_COMPONENT_MANAGER", "SMS_EXECUTIVE"];

fn site() -> Option<Site> {
    let share = Share::start_with_services()?;
    // The remote machine plays the site server.
    for service in SERVICES {
        share.set_state(service, "running");
    }
    Some(Site::tiny(share, "i386"))
}

fn reach(site: &Site, user: User) -> Vec<OsString> {
    let credentials = site.share.credentials(user);
    args!["--services", SERVER, "--registry", SERVER, "--credentials", credentials].to_vec()
}

fn apply_args(site: &Site, machine: &Machine<'_>, user: User) -> Vec<OsString> {
    let args = args![
        "apply",
        site.bundle.clone(),
        "--role",
        "site-server",
        "--target",
        machine.mount(),
        "--keys",
        workshop().public_key(),
        "--json"
    ];
    args.into_iter().chain(reach(site, user)).collect()
}

fn command(site: &Site, machine: &Machine<'_>, command: &str, more: &[&str]) -> Run {
    let args = machine.args(command).into_iter().chain(more.iter().map(OsString::from));
    machine.patcher(args.chain(reach(site, User::Admin)))
}

/// Reads and writes the server's registry beside the patcher.
fn value(site: &Site, key: &str, name: &str, new: Option<&str>) -> Option<String> {
    let (key, name): (RegistryKey, String) = (key.parse().unwrap(), name.to_owned());
    let (credentials, new) = (Some(site.share.credentials(User::Admin)), new.map(RegistryValue::text));
    site.share.inside(move || {
        let registry = SERVER.parse::<RegistryAt>().unwrap().open(&credentials).unwrap();
        if let Some(new) = new {
            registry.set_value(&key, &name, &new).unwrap();
        }
        registry.value(&key, &name).unwrap().and_then(|value| value.as_text())
    })
}

fn states(site: &Site) -> Vec<String> {
    SERVICES.iter().map(|service| site.share.state(service)).collect()
}

#[test]
fn services_stop_files_change_services_start_and_the_update_is_recorded_and_all_of_it_taken_back() {
    let Some(site) = site() else { return };
    let machine = site.machine();
    let applied = machine.patcher(apply_args(&site, &machine, User::Admin)).succeeds();
    let said = ["Service Stop: SMS_EXECUTIVE", "Service Start: SMS_EXECUTIVE", "Registry Overwrite"];
    let applied = applied.says(&said).json();
    assert_eq!((&applied["outcome"], &applied["registry"]), (&"changed".into(), &SERVER.into()));
    site.is(&[&site.new], "applied");
    assert_eq!(states(&site), ["running", "running"]);
    assert_eq!(value(&site, RECORD, "Description", None).as_deref(), Some("Small files"));
    let again = machine.patcher(apply_args(&site, &machine, User::Admin)).succeeds().json();
    assert_eq!(again["outcome"], "already-current");
    // The run remembers how the machine was reached; only the credentials are not written down.
    let credentials = site.share.credentials(User::Admin);
    let rollback = machine.args("rollback").into_iter().chain(args!["--credentials", credentials]);
    machine.patcher(rollback).succeeds().says(&["Service Stop: SMS_EXECUTIVE", "Registry Restore"]);
    site.is(&[&site.old], "rolled back");
    assert_eq!(value(&site, RECORD, "Description", None), None);
    assert_eq!(states(&site), ["running", "running"]);
    let traces = format!("{}{:?}", site.share.calls(), std::fs::read(site.share.disk().join("Logs/T1.log")));
    assert!(!traces.contains(User::Admin.password()), "{traces}");
}

#[test]
fn a_missing_version_is_repaired_there_and_the_repair_taken_back() {
    let Some(site) = site() else { return };
    let setup = r"HKLM\SOFTWARE\Microsoft\SMS\Setup";
    value(&site, setup, "Full Version", Some(""));
    let machine = site.machine();
    let refused = machine.patcher(apply_args(&site, &machine, User::Admin));
    refused.ends(ExitCode::WrongTarget).says(&["an empty value", "2.00.1380.1000"]);
    site.is(&[&site.old], "refused");
    assert_eq!(states(&site), ["running", "running"]);
    let repair = ["--repair", "--assume-build", "1380", "--platform", "i386"];
    command(&site, &machine, "doctor", &repair).succeeds();
    assert_eq!(value(&site, setup, "Full Version", None).as_deref(), Some("2.00.1380.1000"));
    machine.patcher(apply_args(&site, &machine, User::Admin)).succeeds();
    command(&site, &machine, "rollback", &[]).succeeds();
    command(&site, &machine, "rollback", &["doctor"]).succeeds();
    assert_eq!(value(&site, setup, "Full Version", None).as_deref(), Some(""));
}

#[test]
fn a_user_without_rights_and_a_service_that_refuses_end_the_run_before_any_file_is_touched() {
    let Some(site) = site() else { return };
    let machine = site.machine();
    machine.patcher(apply_args(&site, &machine, User::Plain)).ends(ExitCode::AccessDenied);
    site.is(&[&site.old], "denied");
    site.share.set_conduct("SMS_EXECUTIVE", "refuses");
    let refused = machine.patcher(apply_args(&site, &machine, User::Admin));
    refused.ends(ExitCode::Failed).says(&["stop the service SMS_EXECUTIVE"]);
    site.is(&[&site.old], "refused");
    assert_eq!(states(&site), ["running", "running"], "what was stopped before it runs again");
    site.share.set_conduct("SMS_EXECUTIVE", "hangs");
    let hung = apply_args(&site, &machine, User::Admin).into_iter().chain(args!["--service-wait", "2"]);
    machine.patcher(hung).ends(ExitCode::Failed).says(&["it has not in 2 seconds"]);
    site.is(&[&site.old], "hung");
}

#[test]
fn a_server_that_goes_while_its_services_are_stopped_is_put_right_by_recover() {
    let Some(site) = site() else { return };
    let machine = site.machine();
    let mut run = machine.start(apply_args(&site, &machine, User::Admin));
    run.goes_on_until(|| site.share.state("SMS_EXECUTIVE") == "stopped");
    site.share.kill_server();
    let ended = run.end();
    assert_ne!(ended.status, 0, "{}", ended.stderr);
    site.share.restart_server();
    assert!(
        until(Duration::from_secs(20), || machine.mount().join("BIN").exists() || machine.seen().exists())
    );
    command(&site, &machine, "recover", &["--wait", "20", "--break-lock"]).succeeds();
    site.is(&[&site.old, &site.new], "recovered");
    assert_eq!(states(&site), ["running", "running"], "{}", ended.stderr);
}
