//! Services around a run: what they were is recorded before they are stopped, and what ran runs again afterwards.

use super::UpdateError;
use super::journal::{Record, ServiceRecord};
use super::recorder::{Event, Recorder};
use super::state::Run;
use crate::host::{Host, HostError, ServiceState};
use crate::timestamp::utc;

/// Looks what the services are; those that the machine does not have are left out.
pub(super) fn look<'s>(
    host: &dyn Host,
    names: impl IntoIterator<Item = &'s str>,
) -> Result<Vec<ServiceRecord>, HostError> {
    let mut records = Vec::new();
    for name in names {
        if let Some(was) = host.service(name)? {
            records.push(ServiceRecord { service: name.to_owned(), was: was.state });
        }
    }
    Ok(records)
}

/// Stops those that run, in order.
pub(super) fn stop(
    host: &dyn Host,
    records: &[ServiceRecord],
    recorder: &mut Recorder<'_>,
) -> Result<(), HostError> {
    for ServiceRecord { service, .. } in records {
        if host.service(service)?.is_some_and(|service| service.state == ServiceState::Running) {
            host.stop_service(service)?;
            recorder.tell(&Event::Stopped(service));
        }
    }
    Ok(())
}

/// Starts what the run, or its undo, had found running; every service is tried.
pub(super) fn start(host: &dyn Host, run: &Run, recorder: &mut Recorder<'_>) -> Result<(), HostError> {
    let mut result = Ok(());
    for service in run.journal.stopped() {
        let started = host.service(service).and_then(|state| match state {
            Some(found) if found.state == ServiceState::Stopped => {
                host.start_service(service)?;
                recorder.tell(&Event::Started(service));
                Ok(())
            }
            Some(_) | None => Ok(()),
        });
        result = result.and(started);
    }
    result
}

/// Starts them and records that they run again.
pub(super) fn restart(
    host: &dyn Host,
    run: &mut Run,
    recorder: &mut Recorder<'_>,
) -> Result<(), UpdateError> {
    if run.journal.stopped().is_empty() {
        return Ok(());
    }
    start(host, run, recorder)?;
    run.record(host, Record::Restarted { at: utc(host.now()) })
}
