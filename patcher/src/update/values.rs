//! Registry values and COM servers around a run: what else changes with the files, and is put back with them.

use super::UpdateError;
use super::journal::{StepRecord, ValueRecord};
use super::recorder::{Event, Recorder};
use super::target::TargetRoot;
use crate::chain;
use crate::host::{Host, HostError, Registry};
use crate::registry::{RegistryKey, RegistryValue};

/// Looks what a value is that is to be set, and which keys have to be made for it.
pub(super) fn look(
    registry: &dyn Registry,
    key: RegistryKey,
    name: &str,
    new: RegistryValue,
) -> Result<ValueRecord, HostError> {
    let old = registry.value(&key, name)?;
    let mut made = Vec::new();
    let mut above = Some(key.clone());
    while let Some(missing) = above {
        if registry.has_key(&missing)? {
            break;
        }
        above = missing.parent();
        made.push(missing);
    }
    Ok(ValueRecord { key, name: name.to_owned(), old, new, made })
}

/// Sets the values.
pub(super) fn set(
    host: &dyn Host,
    values: &[ValueRecord],
    recorder: &mut Recorder<'_>,
) -> Result<(), HostError> {
    for ValueRecord { key, name, new, .. } in values {
        host.set_value(key, name, new)?;
        recorder.tell(&Event::ValueSet { key, name });
    }
    Ok(())
}

/// Puts back every value that is as the run left it, newest first; one that something else changed since is told and
/// left alone.
pub(super) fn put_back(
    host: &dyn Host,
    values: &[ValueRecord],
    recorder: &mut Recorder<'_>,
) -> Result<(), HostError> {
    for ValueRecord { key, name, old, new, made } in values.iter().rev() {
        let found = host.value(key, name)?;
        if found.as_ref() == Some(new) && old.as_ref() != Some(new) {
            match old {
                Some(old) => host.set_value(key, name, old)?,
                None => host.remove_value(key, name)?,
            }
            recorder.tell(&Event::ValuePutBack { key, name });
        } else if found != *old {
            let words = format!("{key} '{name}' was changed by something else since, and is left as it is");
            recorder.tell(&Event::Warning(words));
        }
        for key in made {
            host.remove_key(key)?;
        }
    }
    Ok(())
}

/// Unregisters the COM servers among the files that are there; one that cannot be is told, and is no reason to stop:
/// it may never have been registered.
pub(super) fn unregister(
    host: &dyn Host,
    target: TargetRoot<'_>,
    steps: &[StepRecord],
    recorder: &mut Recorder<'_>,
) -> Result<(), UpdateError> {
    for step in steps.iter().filter(|step| step.register) {
        let place = target.locate(host, &step.to)?;
        if place.stat.is_none() {
            continue;
        }
        match host.unregister(&place.full) {
            Ok(()) => recorder.tell(&Event::Unregistered(&step.to)),
            Err(error) => recorder.tell(&Event::Warning(chain::line(&error))),
        }
    }
    Ok(())
}

/// Registers the COM servers among the files that are there.
pub(super) fn register(
    host: &dyn Host,
    target: TargetRoot<'_>,
    steps: &[StepRecord],
    recorder: &mut Recorder<'_>,
) -> Result<(), UpdateError> {
    for step in steps.iter().filter(|step| step.register) {
        let place = target.locate(host, &step.to)?;
        if place.stat.is_some() {
            host.register(&place.full)?;
            recorder.tell(&Event::Registered(&step.to));
        }
    }
    Ok(())
}
