//! Services around a run: what they were is recorded before they are stopped, and what ran runs again afterwards.

use std::io;
use std::time::Duration;

use super::UpdateError;
use super::contention::{Contention, INTERVAL};
use super::journal::{Record, ServiceRecord};
use super::recorder::{Event, Recorder};
use super::state::Run;
use crate::bundle::product::ServiceEntry;
use crate::host::{Host, HostError, HostErrorKind, Service, ServiceState, Services};
use crate::timestamp::utc;

/// Between two words about a service that is waited for.
const WORD: Duration = Duration::from_secs(5);

/// Returns the services of the machine that an entry means, each behind those that depend on it and do not rest.
pub(super) fn look_for(host: &dyn Services, entry: &ServiceEntry) -> Result<Vec<ServiceRecord>, HostError> {
    let mut names = Vec::new();
    match &entry.prefix {
        Some(_) => names.extend(host.service_names()?.into_iter().filter(|name| entry.means(name))),
        None => names.push(entry.service.clone()),
    }
    look(host, &names)
}

/// Looks what services are, each behind those that depend on it and do not rest; one that the machine does not have is
/// left out.
pub(super) fn look<N: AsRef<str>>(
    host: &dyn Services,
    names: impl IntoIterator<Item = N>,
) -> Result<Vec<ServiceRecord>, HostError> {
    let mut records: Vec<ServiceRecord> = Vec::new();
    for name in names {
        let Some(found) = host.service(name.as_ref())? else { continue };
        for dependent in &found.dependents {
            if let Some(service) = host.service(dependent)? {
                add(&mut records, dependent, service);
            }
        }
        add(&mut records, name.as_ref(), found);
    }
    Ok(records)
}

fn add(records: &mut Vec<ServiceRecord>, name: &str, found: Service) {
    if records.iter().any(|record| record.service.eq_ignore_ascii_case(name)) {
        return;
    }
    let was = match found.state {
        ServiceState::Running | ServiceState::Starting => ServiceState::Running,
        ServiceState::Stopped | ServiceState::Stopping => ServiceState::Stopped,
    };
    records.push(ServiceRecord {
        service: name.to_owned(),
        was,
        start: Some(found.start),
        dependents: found.dependents,
    });
}

/// Joins what was found for several entries, each service once, those first that others need to have stopped.
pub(super) fn join(found: impl IntoIterator<Item = Vec<ServiceRecord>>) -> Vec<ServiceRecord> {
    let mut joined: Vec<ServiceRecord> = Vec::new();
    for record in found.into_iter().flatten() {
        if !joined.iter().any(|other| other.service.eq_ignore_ascii_case(&record.service)) {
            joined.push(record);
        }
    }
    joined
}

/// Stops those that do not rest, in order, and waits for each.
pub(super) fn stop(
    host: &dyn Host,
    records: &[ServiceRecord],
    contention: &Contention,
    recorder: &mut Recorder<'_>,
) -> Result<(), HostError> {
    for ServiceRecord { service, .. } in records {
        let rests = |found: &Service| found.state == ServiceState::Stopped;
        match host.service(service)? {
            None => continue,
            Some(found) if rests(&found) => continue,
            Some(found) if found.state == ServiceState::Stopping => {}
            Some(_) => host.stop_service(service)?,
        }
        wait(host, service, ServiceState::Stopped, contention, recorder)?;
        recorder.tell(&Event::Stopped(service));
    }
    Ok(())
}

/// Starts what the run, or its undo, had found running; every service is tried.
pub(super) fn start(
    host: &dyn Host,
    run: &Run,
    contention: &Contention,
    recorder: &mut Recorder<'_>,
) -> Result<(), HostError> {
    let mut result = Ok(());
    for service in run.journal.stopped() {
        result = result.and(start_one(host, service, contention, recorder));
    }
    result
}

fn start_one(
    host: &dyn Host,
    service: &str,
    contention: &Contention,
    recorder: &mut Recorder<'_>,
) -> Result<(), HostError> {
    let Some(found) = host.service(service)? else {
        let words = format!("the service {service} ran before and cannot be reached: start it by hand");
        recorder.tell(&Event::Warning(words));
        return Ok(());
    };
    match found.state {
        ServiceState::Running => return Ok(()),
        ServiceState::Starting => {}
        ServiceState::Stopping => {
            wait(host, service, ServiceState::Stopped, contention, recorder)?;
            host.start_service(service)?;
        }
        ServiceState::Stopped => host.start_service(service)?,
    }
    wait(host, service, ServiceState::Running, contention, recorder)?;
    recorder.tell(&Event::Started(service));
    Ok(())
}

/// Waits until a service is as wanted, as long as patience with services lasts.
fn wait(
    host: &dyn Host,
    service: &str,
    wanted: ServiceState,
    contention: &Contention,
    recorder: &mut Recorder<'_>,
) -> Result<(), HostError> {
    let (action, other) = match wanted {
        ServiceState::Running | ServiceState::Starting => ("start", ServiceState::Stopped),
        ServiceState::Stopped | ServiceState::Stopping => ("stop", ServiceState::Running),
    };
    let error = |kind, words: String| {
        let source = io::Error::new(kind, words);
        HostErrorKind::Service { action, service: service.to_owned(), source }.into()
    };
    let mut waited = Duration::ZERO;
    let mut next_word = WORD;
    loop {
        match host.service(service)?.map(|found| found.state) {
            Some(found) if found == wanted => return Ok(()),
            None => return Err(error(io::ErrorKind::NotFound, "it is not there any more".to_owned())),
            // It may take a moment until it begins.
            Some(found) if found == other && waited >= WORD => {
                return Err(error(io::ErrorKind::Other, "it did not, and gave no reason".to_owned()));
            }
            Some(_) => {}
        }
        if waited >= contention.service_patience {
            let seconds = waited.as_secs();
            return Err(error(io::ErrorKind::TimedOut, format!("it has not in {seconds} seconds")));
        }
        if waited >= next_word {
            next_word += WORD;
            recorder.tell(&Event::Waiting { service, action, seconds: waited.as_secs() });
        }
        host.pause(INTERVAL);
        waited += INTERVAL;
    }
}

/// Starts them and records that they run again.
pub(super) fn restart(
    host: &dyn Host,
    run: &mut Run,
    contention: &Contention,
    recorder: &mut Recorder<'_>,
) -> Result<(), UpdateError> {
    if run.journal.stopped().is_empty() {
        return Ok(());
    }
    start(host, run, contention, recorder)?;
    run.record(host, Record::Restarted { at: utc(host.now()) })
}
