//! Services, by `net rpc service`.
//!
//! `net` tells what a service depends on and not what depends on it, so that the answer to that needs the needs of all.
//! They are asked for once, by one call per service, some at a time: a few seconds for the 200 services of a Windows.
//! (Out of the registry they would cost a call per service too, or an export of all that is below `Services`.)

use std::collections::BTreeMap;
use std::io;
use std::sync::OnceLock;
use std::thread;

use super::{Net, Refusal, invalid};
use crate::host::{HostError, HostErrorKind, Service, ServiceStart, ServiceState, Services};

/// Calls that are made at the same time.
const CALLS: usize = 4;

/// The services of a machine.
#[derive(Debug)]
pub(super) struct NetServices {
    net: Net,
    /// The services that depend on one directly, by its folded name; what a machine has does not change while it is
    /// updated.
    dependents: OnceLock<BTreeMap<String, Vec<String>>>,
}

/// What `net` tells of a service.
#[derive(Debug, PartialEq, Eq)]
struct Status {
    state: ServiceState,
    start: ServiceStart,
    /// Services that it needs to run.
    needs: Vec<String>,
}

impl NetServices {
    pub(super) fn new(net: Net) -> Self {
        Self { net, dependents: OnceLock::new() }
    }

    fn names(&self) -> Result<Vec<String>, Refusal> {
        let list = self.net.rpc(&["service", "list"])?;
        Ok(list.lines().filter_map(listed_name).map(str::to_owned).collect())
    }

    /// Tells of a service; none if there is none.
    fn status(&self, name: &str) -> Result<Option<Status>, Refusal> {
        match self.net.rpc(&["service", "status", name]) {
            Ok(text) => Ok(Some(parse_status(name, &text).ok_or_else(|| invalid(&text))?)),
            Err(refusal) if is_unknown(&refusal) => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }

    /// Returns the services that depend on a service directly.
    fn direct_dependents(&self, name: &str) -> Result<&[String], Refusal> {
        let dependents = match self.dependents.get() {
            Some(dependents) => dependents,
            None => {
                let surveyed = self.survey()?;
                self.dependents.get_or_init(|| surveyed)
            }
        };
        Ok(dependents.get(&name.to_ascii_lowercase()).map_or(&[], Vec::as_slice))
    }

    /// Asks every service what it needs.
    ///
    /// One that may not be looked at is taken to need nothing: if it does, the machine refuses to stop what it needs.
    fn survey(&self) -> Result<BTreeMap<String, Vec<String>>, Refusal> {
        let names = self.names()?;
        let ask = |names: &[String]| -> Result<Vec<(String, String)>, Refusal> {
            let mut pairs = Vec::new();
            for name in names {
                let needs = match self.status(name) {
                    Ok(status) => status.map(|status| status.needs).unwrap_or_default(),
                    Err(refusal) if refusal.kind == io::ErrorKind::PermissionDenied => Vec::new(),
                    Err(refusal) => return Err(refusal),
                };
                pairs.extend(needs.into_iter().map(|needed| (needed.to_ascii_lowercase(), name.clone())));
            }
            Ok(pairs)
        };
        let share = names.len().div_ceil(CALLS).max(1);
        let answers: Vec<_> = thread::scope(|scope| {
            let calls: Vec<_> = names.chunks(share).map(|names| scope.spawn(|| ask(names))).collect();
            calls.into_iter().map(|call| call.join().expect("asking never panics")).collect()
        });
        let mut dependents: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for pairs in answers {
            for (needed, name) in pairs? {
                dependents.entry(needed).or_default().push(name);
            }
        }
        Ok(dependents)
    }

    /// Adds the services that need a service and do not rest, those first that nothing else needs.
    fn add_running_dependents(
        &self,
        name: &str,
        found: &mut Vec<String>,
        seen: &mut Vec<String>,
    ) -> Result<(), Refusal> {
        for dependent in self.direct_dependents(name)? {
            if seen.iter().any(|name| name.eq_ignore_ascii_case(dependent)) {
                continue;
            }
            seen.push(dependent.clone());
            if self.status(dependent)?.is_some_and(|status| status.state != ServiceState::Stopped) {
                self.add_running_dependents(dependent, found, seen)?;
                found.push(dependent.clone());
            }
        }
        Ok(())
    }

    fn find(&self, name: &str) -> Result<Option<Service>, Refusal> {
        let Some(Status { state, start, .. }) = self.status(name)? else { return Ok(None) };
        let mut dependents = Vec::new();
        self.add_running_dependents(name, &mut dependents, &mut vec![name.to_owned()])?;
        Ok(Some(Service { state, start, dependents }))
    }

    fn stop(&self, name: &str) -> Result<(), Refusal> {
        let Err(refusal) = self.net.rpc(&["service", "stop", name]) else { return Ok(()) };
        match refusal.code() {
            "WERR_SERVICE_NOT_ACTIVE" => Ok(()),
            // One that is stopping already says this of every further request.
            "WERR_SERVICE_CANNOT_ACCEPT_CTRL" => match self.status(name)?.map(|status| status.state) {
                Some(ServiceState::Stopping | ServiceState::Stopped) => Ok(()),
                Some(ServiceState::Running | ServiceState::Starting) | None => Err(refusal),
            },
            _ => Err(refusal),
        }
    }

    fn start(&self, name: &str) -> Result<(), Refusal> {
        match self.net.rpc(&["service", "start", name]) {
            Ok(_) => Ok(()),
            Err(refusal) if refusal.code() == "WERR_SERVICE_ALREADY_RUNNING" => Ok(()),
            Err(refusal) => Err(refusal),
        }
    }
}

impl Services for NetServices {
    fn service_names(&self) -> Result<Vec<String>, HostError> {
        self.names().map_err(error("list", "*"))
    }

    fn service(&self, name: &str) -> Result<Option<Service>, HostError> {
        self.find(name).map_err(error("look at", name))
    }

    fn stop_service(&self, name: &str) -> Result<(), HostError> {
        self.stop(name).map_err(error("stop", name))
    }

    fn start_service(&self, name: &str) -> Result<(), HostError> {
        self.start(name).map_err(error("start", name))
    }
}

fn error(action: &'static str, service: &str) -> impl FnOnce(Refusal) -> HostError {
    move |refusal| {
        HostErrorKind::Service { action, service: service.to_owned(), source: refusal.into_error() }.into()
    }
}

/// Tells whether a refusal means that there is no service of the name, and nothing else.
fn is_unknown(refusal: &Refusal) -> bool {
    // 1060; Samba before 4.13 had the other name for it.
    let codes = ["WERR_SERVICE_DOES_NOT_EXIST", "WERR_NO_SUCH_SERVICE"];
    refusal.words.starts_with("Failed to open service.") && codes.contains(&refusal.code())
}

/// Returns the key name in a line `NAME    "DISPLAY NAME"`.
fn listed_name(line: &str) -> Option<&str> {
    Some(line.split_once("    \"")?.0.trim_end())
}

fn parse_status(name: &str, text: &str) -> Option<Status> {
    let (first, details) = text.strip_prefix(name)?.strip_prefix(" service is ")?.split_once(".\n")?;
    let state = match first {
        "stopped" => ServiceState::Stopped,
        "start pending" => ServiceState::Starting,
        "stop pending" => ServiceState::Stopping,
        "running" | "paused" | "pause pending" | "resume pending" => ServiceState::Running,
        _ => return None,
    };
    let detail = |key: &str| {
        let is_it = |(found, _): &(&str, &str)| found.trim() == key;
        details.lines().filter_map(|line| line.split_once('=')).find(is_it).map(|(_, value)| value.trim())
    };
    let start = match detail("Start Type")? {
        // With the kernel, with the system, by the service control manager.
        "0x0" | "0x1" | "0x2" => ServiceStart::Automatic,
        "0x3" => ServiceStart::Manual,
        "0x4" => ServiceStart::Disabled,
        _ => return None,
    };
    // Windows sends them with slashes between them; a name after a plus is that of a group of services.
    let needs = detail("Dependencies").unwrap_or_default().split('/');
    let needs = needs.filter(|name| !name.is_empty() && !name.starts_with('+')).map(str::to_owned).collect();
    Some(Status { state, start, needs })
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "SMS_EXECUTIVE service is running.\nConfiguration details:\n\tControls Accepted    = 0x5\n\
        \tStart Type           = 0x2\n\tExecutable Path      = D:\\SMS\\smsexec.exe -k a=b\n\
        \tDependencies         = WinMgmt/+NetworkProvider/LanmanServer/\n\tDisplay Name         = SMS\n";

    #[test]
    fn a_status_is_taken_apart() {
        let status = parse_status("SMS_EXECUTIVE", STATUS).unwrap();
        let needs = ["WinMgmt", "LanmanServer"].map(str::to_owned).into();
        assert_eq!(status, Status { state: ServiceState::Running, start: ServiceStart::Automatic, needs });
        for (word, state) in [
            ("paused", Some(ServiceState::Running)),
            ("stop pending", Some(ServiceState::Stopping)),
            ("Unknown State [9]", None),
        ] {
            let text = STATUS.replace("is running", &format!("is {word}"));
            assert_eq!(parse_status("SMS_EXECUTIVE", &text).map(|status| status.state), state, "{word}");
        }
        assert_eq!(parse_status("SMS_EXECUTIVE", &STATUS.replace("0x2", "0x9")), None);
        assert_eq!(parse_status("OTHER", STATUS), None);
    }

    #[test]
    fn a_listed_name_may_have_spaces_and_any_length() {
        assert_eq!(listed_name("WinMgmt                 \"WMI    \"x\"\""), Some("WinMgmt"));
        assert_eq!(listed_name("SMS_SITE_COMPONENT_MANAGER    \"SMS\""), Some("SMS_SITE_COMPONENT_MANAGER"));
        assert_eq!(listed_name("Two Words               \"\""), Some("Two Words"));
        assert_eq!(listed_name("No services returned"), None);
    }

    #[test]
    fn only_the_code_for_an_unknown_service_means_one() {
        for (words, is) in [
            ("Failed to open service.  [WERR_SERVICE_DOES_NOT_EXIST]", true),
            ("Failed to open service.  [WERR_NO_SUCH_SERVICE]", true),
            ("Failed to open service.  [WERR_ACCESS_DENIED]", false),
            ("Failed to open Service Control Manager.  [WERR_SERVICE_DOES_NOT_EXIST]", false),
            ("Could not initialise pipe svcctl. Error was NT_STATUS_OBJECT_NAME_NOT_FOUND", false),
        ] {
            assert_eq!(is_unknown(&Refusal::of_words(words, "")), is, "{words}");
        }
    }
}
