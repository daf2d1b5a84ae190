//! Services, registry and COM servers by the system's own calls, of this machine or another one.
//!
//! Another machine is reached as the user of this process, who may have logged on to it before.

use std::ffi::OsStr;
use std::io;
use std::os::windows::ffi::OsStrExt;

use windows_sys::Win32::Foundation::{ERROR_INSUFFICIENT_BUFFER, ERROR_MORE_DATA, ERROR_SUCCESS};

use super::{ComServers, Credentials, HostError, Registry, Server, Services};

mod com;
mod registry;
mod services;

/// Reaches the services of this machine.
pub(super) fn local_services() -> Result<Box<dyn Services>, HostError> {
    Ok(Box::new(services::ControlManager::open(None)?))
}

/// Reaches the services of another machine.
pub(super) fn remote_services(
    server: &Server,
    credentials: &Credentials,
) -> Result<Box<dyn Services>, HostError> {
    own_user(server, credentials).map_err(services::unreachable(Some(server)))?;
    Ok(Box::new(services::ControlManager::open(Some(server))?))
}

/// Reaches the registry of this machine.
pub(super) fn local_registry() -> Result<Box<dyn Registry>, HostError> {
    Ok(Box::new(registry::Live::local()))
}

/// Reaches the registry of another machine.
pub(super) fn remote_registry(
    server: &Server,
    credentials: &Credentials,
) -> Result<Box<dyn Registry>, HostError> {
    own_user(server, credentials).map_err(registry::unreachable(server))?;
    Ok(Box::new(registry::Live::remote(server)?))
}

/// Reaches the COM servers of this machine.
pub(super) fn local_com_servers() -> Box<dyn ComServers> {
    Box::new(com::Regsvr32)
}

/// Refuses credentials: Windows connects as the user of the process, or as the one of a connection that is there.
fn own_user(server: &Server, credentials: &Credentials) -> io::Result<()> {
    if credentials.is_none() {
        return Ok(());
    }
    let server = server.as_str();
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        format!(
            "Windows takes no file with credentials: log on as that user, or run \
             \"net use \\\\{server}\\IPC$ /user:NAME\" first, and leave the file out"
        ),
    ))
}

/// Returns a text as Windows takes it: UTF-16, a zero at the end.
pub(super) fn wide(text: impl AsRef<OsStr>) -> Vec<u16> {
    text.as_ref().encode_wide().chain([0]).collect()
}

/// Tells the system's own codes from others.
fn is_code(error: &io::Error, codes: &[u32]) -> bool {
    error.raw_os_error().and_then(|code| u32::try_from(code).ok()).is_some_and(|code| codes.contains(&code))
}

/// Makes an error of a code.
fn error_of(code: u32) -> io::Error {
    io::Error::from_raw_os_error(code.cast_signed())
}

/// Makes a result of a code.
fn done(code: u32) -> io::Result<()> {
    if code == ERROR_SUCCESS { Ok(()) } else { Err(error_of(code)) }
}

/// What the system has filled, at an address fit for every structure of it.
struct Filled {
    words: Vec<u64>,
    bytes: usize,
}

/// Has the system fill a buffer of at most `limit` bytes, which grows until it is enough: what is asked for may grow
/// meanwhile.
///
/// `call` gets the start of the buffer and its length, puts there how many bytes are filled or wanted, and returns a code.
fn fill(limit: u32, mut call: impl FnMut(*mut u8, &mut u32) -> u32) -> io::Result<Filled> {
    let mut length = limit.min(4 << 10);
    loop {
        let mut words = vec![0_u64; (length as usize).div_ceil(size_of::<u64>())];
        let mut needed = length;
        match call(words.as_mut_ptr().cast(), &mut needed) {
            ERROR_SUCCESS => return Ok(Filled { words, bytes: needed.min(length) as usize }),
            ERROR_MORE_DATA | ERROR_INSUFFICIENT_BUFFER if length < limit => {
                length = needed.max(length.saturating_mul(2)).min(limit);
            }
            code => return Err(error_of(code)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::{RegistryAt, ServicesAt};

    #[test]
    fn a_buffer_grows_until_it_is_enough_or_too_large() {
        let mut wanted = 5_000;
        let mut calls = 0;
        let mut call = |_: *mut u8, length: &mut u32| {
            calls += 1;
            // It grows at first.
            wanted += if calls < 3 { 10_000 } else { 0 };
            let code = if *length < wanted { ERROR_MORE_DATA } else { ERROR_SUCCESS };
            *length = wanted;
            code
        };
        assert_eq!(fill(1 << 20, &mut call).unwrap().bytes, 25_000);
        assert!(is_code(&fill(8_000, &mut call).err().unwrap(), &[ERROR_MORE_DATA]));
    }

    #[test]
    fn credentials_of_a_file_are_refused_and_what_to_do_is_said() {
        let credentials = Some("credentials".into());
        let services: ServicesAt = "rpc:SRV".parse().unwrap();
        let registry: RegistryAt = "rpc:SRV".parse().unwrap();
        for refused in [services.open(&credentials).err(), registry.open(&credentials).err()] {
            let source = std::error::Error::source(refused.as_ref().unwrap()).unwrap().to_string();
            assert!(source.contains(r"net use \\SRV\IPC$ /user:"), "{source}");
        }
    }
}
