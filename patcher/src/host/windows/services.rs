//! Services by the service control manager of this machine or another one.

use std::collections::BTreeMap;
use std::io;
use std::ptr;

use windows_sys::Win32::Foundation::{
    ERROR_MORE_DATA, ERROR_SERVICE_ALREADY_RUNNING, ERROR_SERVICE_DOES_NOT_EXIST, ERROR_SERVICE_NOT_ACTIVE,
};
use windows_sys::Win32::System::Services::{
    CloseServiceHandle, ControlService, ENUM_SERVICE_STATUS_PROCESSW, EnumServicesStatusExW, OpenSCManagerW,
    OpenServiceW, QUERY_SERVICE_CONFIGW, QueryServiceConfigW, QueryServiceStatus, SC_ENUM_PROCESS_INFO,
    SC_HANDLE, SC_MANAGER_CONNECT, SC_MANAGER_ENUMERATE_SERVICE, SERVICE_CONTROL_STOP, SERVICE_DEMAND_START,
    SERVICE_DISABLED, SERVICE_QUERY_CONFIG, SERVICE_QUERY_STATUS, SERVICE_START, SERVICE_START_PENDING,
    SERVICE_STATE_ALL, SERVICE_STATUS, SERVICE_STOP, SERVICE_STOP_PENDING, SERVICE_STOPPED, SERVICE_WIN32,
    StartServiceW,
};

use super::registry::Live;
use super::{Filled, error_of, fill, is_code, wide};
use crate::host::{
    HostError, HostErrorKind, Registry, Server, Service, ServiceStart, ServiceState, Services,
};
use crate::registry::RegistryValue;

/// Largest list of services, and configuration of one, that is read: what the calls themselves allow.
const MAX_LIST: u32 = 256 << 10;
/// What stands before a group in a list of what a service needs.
const GROUP: char = '+';

/// A service control manager.
pub(super) struct ControlManager {
    handle: Handle,
    /// The registry of this machine; none: it is another one's manager.
    registry: Option<Live>,
}

/// An open manager or service.
struct Handle(SC_HANDLE);

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: the handle is open, and nobody else's.
        #[expect(unsafe_code, reason = "the standard library knows no services")]
        unsafe {
            CloseServiceHandle(self.0);
        }
    }
}

impl Handle {
    fn of(handle: SC_HANDLE) -> io::Result<Self> {
        if handle.is_null() { Err(io::Error::last_os_error()) } else { Ok(Self(handle)) }
    }
}

/// What a service states of itself.
struct Configuration {
    start: ServiceStart,
    /// Key names of the services that it needs.
    needs: Vec<String>,
}

/// Makes the error of a machine whose services are not reached.
pub(super) fn unreachable(server: Option<&Server>) -> impl FnOnce(io::Error) -> HostError {
    let on = server.map_or_else(String::new, |server| format!(r" on \\{}", server.as_str()));
    move |source| {
        HostErrorKind::Service { action: "reach", service: format!("control manager{on}"), source }.into()
    }
}

fn error(action: &'static str, service: &str) -> impl FnOnce(io::Error) -> HostError {
    move |source| HostErrorKind::Service { action, service: service.to_owned(), source }.into()
}

/// Takes the code of a call that tells success by a number other than zero.
fn checked(result: i32) -> io::Result<()> {
    if result == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

impl ControlManager {
    /// Opens that of a machine; none: of this one.
    pub(super) fn open(server: Option<&Server>) -> Result<Self, HostError> {
        let machine = server.map(|server| wide(format!(r"\\{}", server.as_str())));
        let name = machine.as_ref().map_or(ptr::null(), Vec::as_ptr);
        let rights = SC_MANAGER_CONNECT | SC_MANAGER_ENUMERATE_SERVICE;
        // SAFETY: the name, if there is one, ends in a zero and outlives the call.
        #[expect(unsafe_code, reason = "the standard library knows no services")]
        let handle = unsafe { OpenSCManagerW(name, ptr::null(), rights) };
        let handle = Handle::of(handle).map_err(unreachable(server))?;
        Ok(Self { handle, registry: server.is_none().then(Live::local) })
    }

    /// Opens a service; none if there is none of that key name.
    fn service_handle(&self, name: &str, rights: u32) -> io::Result<Option<Handle>> {
        let name = wide(name);
        // SAFETY: the manager is open; the name ends in a zero and outlives the call.
        #[expect(unsafe_code, reason = "the standard library knows no services")]
        let handle = unsafe { OpenServiceW(self.handle.0, name.as_ptr(), rights) };
        match Handle::of(handle) {
            Ok(handle) => Ok(Some(handle)),
            Err(error) if is_code(&error, &[ERROR_SERVICE_DOES_NOT_EXIST]) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Lists the services with their states, by key name.
    fn list(&self) -> io::Result<Vec<(String, ServiceState)>> {
        let mut services = Vec::new();
        let mut resume = 0;
        loop {
            let mut buffer = vec![0_u64; (MAX_LIST as usize) / size_of::<u64>()];
            let (mut needed, mut count) = (0, 0);
            // SAFETY: the manager is open; the buffer has as many bytes as is said; it and the numbers outlive the call.
            #[expect(unsafe_code, reason = "the standard library knows no services")]
            let listed = checked(unsafe {
                EnumServicesStatusExW(
                    self.handle.0,
                    SC_ENUM_PROCESS_INFO,
                    SERVICE_WIN32,
                    SERVICE_STATE_ALL,
                    buffer.as_mut_ptr().cast(),
                    MAX_LIST,
                    &raw mut needed,
                    &raw mut count,
                    &raw mut resume,
                    ptr::null(),
                )
            });
            // SAFETY: the system has filled in that many structures at the start of the buffer, whose address is fit for
            // them; their names are texts in the same buffer that end in a zero.
            #[expect(unsafe_code, reason = "the system has filled the buffer")]
            let found = unsafe {
                std::slice::from_raw_parts(
                    buffer.as_ptr().cast::<ENUM_SERVICE_STATUS_PROCESSW>(),
                    count as usize,
                )
            };
            for entry in found {
                services.push((
                    text_at(entry.lpServiceName),
                    state_of(entry.ServiceStatusProcess.dwCurrentState),
                ));
            }
            match listed {
                Ok(()) => return Ok(services),
                Err(error) if is_code(&error, &[ERROR_MORE_DATA]) && count > 0 => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn configuration(&self, name: &str) -> io::Result<Option<Configuration>> {
        let Some(handle) = self.service_handle(name, SERVICE_QUERY_CONFIG)? else { return Ok(None) };
        let Filled { words, .. } = fill(MAX_LIST, |buffer, length| {
            let given = *length;
            // SAFETY: the service is open; the buffer has as many bytes as is said; it and the number outlive the call.
            #[expect(unsafe_code, reason = "the standard library knows no services")]
            let done = unsafe { QueryServiceConfigW(handle.0, buffer.cast(), given, length) };
            match checked(done) {
                Ok(()) => 0,
                Err(error) => error.raw_os_error().unwrap_or_default().cast_unsigned(),
            }
        })?;
        // SAFETY: the system has filled in the structure at the start of the buffer, whose address is fit for it; its
        // texts are in the same buffer.
        #[expect(unsafe_code, reason = "the system has filled the buffer")]
        let config = unsafe { &*words.as_ptr().cast::<QUERY_SERVICE_CONFIGW>() };
        let start = match config.dwStartType {
            SERVICE_DISABLED => ServiceStart::Disabled,
            SERVICE_DEMAND_START => ServiceStart::Manual,
            _ => ServiceStart::Automatic,
        };
        let mut needs = texts_at(config.lpDependencies);
        needs.extend(self.needs_in_registry(name));
        needs.retain(|need| !need.starts_with(GROUP));
        Ok(Some(Configuration { start, needs }))
    }

    /// Returns what the registry says that a service needs.
    ///
    /// The manager has read it as Windows started, and knows no more what was changed there since; Wine's tells nothing.
    fn needs_in_registry(&self, name: &str) -> Vec<String> {
        let key = format!(r"HKLM\SYSTEM\CurrentControlSet\Services\{name}").parse();
        let value = self
            .registry
            .as_ref()
            .zip(key.ok())
            .map(|(registry, key)| registry.value(&key, "DependOnService"));
        // What cannot be read adds nothing to what the manager tells.
        value.and_then(Result::ok).flatten().as_ref().map(RegistryValue::as_texts).unwrap_or_default()
    }

    fn state(&self, name: &str) -> io::Result<Option<ServiceState>> {
        let Some(handle) = self.service_handle(name, SERVICE_QUERY_STATUS)? else { return Ok(None) };
        let mut status = SERVICE_STATUS::default();
        // SAFETY: the service is open, and the status is ours and outlives the call.
        #[expect(unsafe_code, reason = "the standard library knows no services")]
        checked(unsafe { QueryServiceStatus(handle.0, &raw mut status) })?;
        Ok(Some(state_of(status.dwCurrentState)))
    }

    /// Returns the services that need one, directly or not, and do not rest: those first that nothing else needs.
    ///
    /// By what each service states that it needs: what is told of the dependents of one leaves out those that start.
    fn dependents(&self, name: &str) -> io::Result<Vec<String>> {
        let mut needs: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (service, _) in self.list()?.into_iter().filter(|(_, state)| *state != ServiceState::Stopped) {
            // One that may not be looked at, or is gone by now, needs nothing that anybody knows of.
            if let Ok(Some(configuration)) = self.configuration(&service) {
                needs.insert(service, configuration.needs);
            }
        }
        let mut found = Vec::new();
        collect_dependents(&needs, name, &mut Vec::new(), &mut found);
        Ok(found)
    }

    fn look(&self, name: &str) -> io::Result<Option<Service>> {
        let Some(state) = self.state(name)? else { return Ok(None) };
        let Some(configuration) = self.configuration(name)? else { return Ok(None) };
        // What rests has nothing running that needs it.
        let dependents = if state == ServiceState::Stopped { Vec::new() } else { self.dependents(name)? };
        Ok(Some(Service { state, start: configuration.start, dependents }))
    }

    fn stop(&self, name: &str) -> io::Result<()> {
        let handle = self.service_handle(name, SERVICE_STOP)?.ok_or_else(absent)?;
        let mut status = SERVICE_STATUS::default();
        // SAFETY: the service is open, and the status is ours and outlives the call.
        #[expect(unsafe_code, reason = "the standard library knows no services")]
        let stopped = checked(unsafe { ControlService(handle.0, SERVICE_CONTROL_STOP, &raw mut status) });
        unless_code(stopped, ERROR_SERVICE_NOT_ACTIVE)
    }

    fn start(&self, name: &str) -> io::Result<()> {
        let handle = self.service_handle(name, SERVICE_START)?.ok_or_else(absent)?;
        // SAFETY: the service is open, and no arguments are given.
        #[expect(unsafe_code, reason = "the standard library knows no services")]
        let started = checked(unsafe { StartServiceW(handle.0, 0, ptr::null()) });
        unless_code(started, ERROR_SERVICE_ALREADY_RUNNING)
    }
}

fn absent() -> io::Error {
    error_of(ERROR_SERVICE_DOES_NOT_EXIST)
}

/// Takes an error of this code for success.
fn unless_code(result: io::Result<()>, code: u32) -> io::Result<()> {
    result.or_else(|error| if is_code(&error, &[code]) { Ok(()) } else { Err(error) })
}

fn state_of(state: u32) -> ServiceState {
    match state {
        SERVICE_STOPPED => ServiceState::Stopped,
        SERVICE_START_PENDING => ServiceState::Starting,
        SERVICE_STOP_PENDING => ServiceState::Stopping,
        // It is paused, or about to be, or about to go on.
        _ => ServiceState::Running,
    }
}

/// Adds the services that need `name`, behind those that need them; `above` are those that are being looked at.
fn collect_dependents(
    needs: &BTreeMap<String, Vec<String>>,
    name: &str,
    above: &mut Vec<String>,
    found: &mut Vec<String>,
) {
    above.push(name.to_owned());
    let is_known = |list: &[String], name: &str| list.iter().any(|known| known.eq_ignore_ascii_case(name));
    for (service, needed) in needs {
        if is_known(needed, name) && !is_known(above, service) && !is_known(found, service) {
            collect_dependents(needs, service, above, found);
            found.push(service.clone());
        }
    }
    above.pop();
}

/// Reads a text of the system; an empty one where there is none.
fn text_at(start: *const u16) -> String {
    String::from_utf16_lossy(units_at(start))
}

/// Reads a list of texts, each of which ends in a zero, up to an empty one.
fn texts_at(mut start: *const u16) -> Vec<String> {
    let mut texts = Vec::new();
    loop {
        let units = units_at(start);
        if units.is_empty() {
            return texts;
        }
        texts.push(String::from_utf16_lossy(units));
        // SAFETY: a text and its zero are part of the list, which ends in another zero.
        #[expect(unsafe_code, reason = "the list is the system's")]
        let next = unsafe { start.add(units.len() + 1) };
        start = next;
    }
}

fn units_at<'u>(start: *const u16) -> &'u [u16] {
    if start.is_null() {
        return &[];
    }
    let mut length = 0;
    // SAFETY: the text is the system's and ends in a zero, up to which it is looked at.
    #[expect(unsafe_code, reason = "the text is the system's")]
    unsafe {
        while *start.add(length) != 0 {
            length += 1;
        }
        std::slice::from_raw_parts(start, length)
    }
}

impl Services for ControlManager {
    fn service_names(&self) -> Result<Vec<String>, HostError> {
        let list = self.list().map_err(error("list", "names"))?;
        Ok(list.into_iter().map(|(name, _)| name).collect())
    }

    fn service(&self, name: &str) -> Result<Option<Service>, HostError> {
        self.look(name).map_err(error("look at", name))
    }

    fn stop_service(&self, name: &str) -> Result<(), HostError> {
        self.stop(name).map_err(error("stop", name))
    }

    fn start_service(&self, name: &str) -> Result<(), HostError> {
        self.start(name).map_err(error("start", name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manager() -> ControlManager {
        ControlManager::open(None).unwrap()
    }

    #[test]
    fn services_are_listed_and_looked_at() {
        let names = manager().service_names().unwrap();
        assert!(names.iter().any(|name| name.eq_ignore_ascii_case("RpcSs")), "{names:?}");
        let found = manager().service("rpcss").unwrap().unwrap();
        assert!(found.start != ServiceStart::Disabled, "{found:?}");
    }

    #[test]
    fn a_service_that_is_not_there_is_none_and_cannot_be_controlled() {
        assert_eq!(manager().service("qfe no service").unwrap(), None);
        for refused in [manager().stop_service("qfe-none"), manager().start_service("qfe-none")] {
            let refused = refused.unwrap_err();
            assert!(
                matches!(refused.kind(), HostErrorKind::Service { source, .. } if is_code(source, &[1060]))
            );
        }
    }

    #[test]
    fn dependents_stand_behind_their_own_and_a_circle_ends() {
        let needs = |list: &[(&str, &[&str])]| -> BTreeMap<String, Vec<String>> {
            let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
            list.iter().map(|(name, needs)| ((*name).to_owned(), owned(needs))).collect()
        };
        let found = |needs: &BTreeMap<String, Vec<String>>| {
            let mut found = Vec::new();
            collect_dependents(needs, "base", &mut Vec::new(), &mut found);
            found
        };
        let tree = needs(&[("A", &["BASE", "rpc"]), ("B", &["a"]), ("C", &["B", "Base"]), ("D", &["rpc"])]);
        assert_eq!(found(&tree), ["C", "B", "A"]);
        assert_eq!(found(&needs(&[("A", &["base", "B"]), ("B", &["A"])])), ["B", "A"]);
    }
}
