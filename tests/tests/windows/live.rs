//! Site servers as their admins update them: on a machine whose registry and services the patcher finds by itself.

use std::ffi::OsString;
use std::path::Path;

use qfe_tests::args;
use qfe_tests::programs::Run;
use qfe_tests::samples::workshop;
use qfe_tests::wine::{Bits, Machine};

use crate::site::{CCM, Site, TARGET};

/// The key in which the product states what it is.
pub(crate) const SETUP: &str = r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\SMS\Setup";
/// The services that run on such a machine, in the order in which they are stopped.
pub(crate) const RUNNING: [&str; 4] =
    ["SMS_SITE_COMPONENT_MANAGER", "SMS_NT_LOGON", "SMS_EXECUTIVE", "SMS_SQL_MONITOR_SITE1"];
/// One that is there and does not run.
pub(crate) const RESTING: &str = "SMS_SQL_MONITOR";

impl Site {
    /// Furnishes a machine with a primary site of Service Pack 1, its services there and at rest.
    ///
    /// Windows' own program for the registry writes what the product states, of 32 bits as the product is.
    pub(crate) fn live(bits: Bits) -> Option<Self> {
        let site = Self::new(bits, "i386")?;
        site.state("\"Full Version\"=\"2.00.1380.1000\"\n\"Type\"=dword:00000001");
        let services = site.machine.services();
        services.run(&[
            "create SMS_SITE_COMPONENT_MANAGER",
            "create SMS_EXECUTIVE",
            "create SMS_NT_LOGON SMS_EXECUTIVE",
            "create SMS_SQL_MONITOR_SITE1",
            "create SMS_SQL_MONITOR",
        ]);
        // As long as it runs the file cannot be replaced.
        services.set_loads("SMS_EXECUTIVE", CCM);
        Some(site)
    }

    /// Furnishes a machine for each kind of programs.
    pub(crate) fn each_live() -> impl Iterator<Item = Self> {
        Bits::ALL.into_iter().filter_map(Self::live)
    }

    /// Has the registry state this in the product's key, for programs of 32 bits.
    pub(crate) fn state(&self, lines: &str) {
        self.machine.write_registry(Bits::B32, &format!("[{SETUP}]\n{lines}"));
    }

    /// Starts the services that run, which is no event.
    #[track_caller]
    pub(crate) fn start_services(&self) {
        let commands = RUNNING.map(|name| format!("start {name}"));
        let services = self.machine.services();
        services.run(&commands.each_ref().map(String::as_str));
        services.events();
    }

    /// Requires of all services that they are as `start_services` left them.
    #[track_caller]
    pub(crate) fn services_run(&self) {
        let services = self.machine.services();
        assert_eq!(services.states(&RUNNING), ["running"; 4]);
        assert_eq!(services.states(&[RESTING]), ["stopped"]);
    }

    /// Updates the site as its admin does.
    pub(crate) fn update(&self, more: &[&str]) -> Run {
        self.machine.patcher(self.update_words(&self.bundle, more))
    }

    /// Applies another bundle as the site's admin does.
    pub(crate) fn update_by(&self, bundle: &Path) -> Run {
        self.machine.patcher(self.update_words(bundle, &[]))
    }

    /// Returns the words of an update: nothing is said of services and registry.
    pub(crate) fn update_words(&self, bundle: &Path, more: &[&str]) -> Vec<OsString> {
        let (bundle, keys) = (Machine::path(bundle), Machine::path(&workshop().public_key()));
        let mut words =
            args!["apply", bundle, "--role", "site-server", "--target", TARGET, "--keys", keys, "--json"]
                .to_vec();
        words.extend(more.iter().map(Into::into));
        words
    }

    /// Runs the patcher on the site.
    pub(crate) fn run_with(&self, command: &str, more: &[&str]) -> Run {
        let words = args![command, "--target", TARGET, "--json"];
        self.machine.patcher(words.into_iter().chain(more.iter().map(OsString::from)))
    }
}
