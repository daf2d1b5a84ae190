//! The journal: the write-ahead record of one run, from which an interrupted run is undone.
//!
//! A journal is lines of text, each `<check> <record>\n`: the record is one JSON object, the check the first 16
//! hexadecimal digits of the SHA-256 of the previous line's check (nothing for the first line) followed by the
//! record. So a line that was lost, changed or moved in the middle breaks every check behind it.
//!
//! # Invariants
//! 1. A backup is durable, file and folder, and was read back and compared, before any [`Record::Intent`] names
//!    its file. (A copy that was not synced came back *empty* after a power loss, with the new file in place.)
//! 2. An intent is durable before the target is touched.
//! 3. A target changes only by renaming a staged file of known digest, on the same volume.
//! 4. A backup of a file that was touched is never deleted, least of all on a failure path. A run that failed
//!    before its first intent has touched nothing, and leaves nothing.
//! 5. Recovery is idempotent: what remains to be undone is seen from the digests on the disk.
//! 6. A torn last line is absent: at most one record is ever in flight. A bad line with another one behind it is
//!    corruption: stop and say so. A whole line with an unknown record is a newer program's: likewise.
//! 7. On a network mount a sync proves nothing: staged files, backups and the finished target are read back.
//!
//! 8. What is read of a journal is made durable before anything is done by it: it may have been written and not synced.
//! 9. What a service was is durable before it is stopped; whether it was put back to that is durable afterwards.
//!
//! # Order of records
//! `begin`; `unregister` where files are COM servers; for each file `intent`, `done`; `set-values` where registry values
//! are set; then `commit`; or, where files wait for a restart of the system,
//! every `intent`, then `scheduled`, and after the restart `commit`. An undo appends `undo`, and at its end
//! `rolled-back`, wherever the run had come to; or `commit` again where the undo of a committed run failed and
//! was itself undone. `restarted` follows where services were stopped, once they run again.
//!
//! The design as a whole, with what it promises and what it does not: `patcher/TRANSACTION.md`.

use super::apply::Backends;
use crate::chain::debug_as_shown;
use crate::digest::Digest;
use crate::host::ServiceState;
use crate::json::{FromJson, Json, ToJson};

mod record;

pub use record::{Begin, FileRecord, Record, ServiceRecord, StepRecord, ValueRecord};

/// The version of the journal's format.
pub const FORMAT: u32 = 1;
/// Digits of a line's check.
const CHECK_LEN: usize = 16;
/// Largest journal that is read.
pub const MAX_JOURNAL: u64 = 64 << 20;

/// Why a journal cannot be read.
#[derive(thiserror::Error)]
pub enum JournalError {
    /// A line in the middle is damaged.
    #[error("line {line} is damaged, and more lines follow: the journal was changed or the disk is failing")]
    Corrupt {
        /// Its number, from 1.
        line: usize,
    },
    /// A record of a newer format, or one that cannot stand where it does.
    #[error("line {line} holds {found}, which cannot stand there")]
    OutOfOrder {
        /// Its number, from 1.
        line: usize,
        /// What it holds.
        found: String,
    },
    /// A whole line with a record that this program does not know.
    #[error("line {line} holds a record that this patcher does not know: use the patcher that wrote it")]
    UnknownRecord {
        /// Its number, from 1.
        line: usize,
    },
    /// The journal is of another format.
    #[error(
        "the journal has format {found}, this patcher reads format {FORMAT}: use the patcher that wrote it"
    )]
    OtherFormat {
        /// Its format.
        found: u32,
    },
}

debug_as_shown!(JournalError);

/// How far a run has come, by its journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nothing was begun: at most staged files are there.
    Staging,
    /// Begun and neither committed nor undone.
    Open,
    /// Every file waits for a restart of the system.
    Scheduled,
    /// Committed: the update stands.
    Committed,
    /// Being undone.
    Undoing,
    /// Undone.
    RolledBack,
}

/// The records of a journal, and where the next one goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Journal {
    records: Vec<Record>,
    /// The last line's check.
    check: String,
    /// Bytes of the whole lines: the next record is written there, over what a torn one left.
    len: u64,
}

impl Journal {
    /// Reads a journal; a torn last line is as if it were not there.
    pub fn read(bytes: &[u8]) -> Result<Self, JournalError> {
        let mut journal = Self::default();
        let mut rest = bytes;
        let mut line = 0;
        while !rest.is_empty() {
            line += 1;
            let end = rest.iter().position(|byte| *byte == b'\n');
            let (text, behind) = match end {
                Some(end) => (rest.get(..end).unwrap_or_default(), rest.get(end + 1..).unwrap_or_default()),
                None => (rest, [].as_slice()),
            };
            match parse(text, &journal.check).filter(|_| end.is_some()) {
                Some((Some(record), check)) => journal.push(record, check, text.len() + 1, line)?,
                Some((None, _)) => return Err(JournalError::UnknownRecord { line }),
                // What one torn append left: nothing whole can stand behind it, nor before it.
                None if behind.is_empty() && !has_lost_its_end(text, &journal.check) => break,
                None => return Err(JournalError::Corrupt { line }),
            }
            rest = behind;
        }
        Ok(journal)
    }

    fn push(&mut self, record: Record, check: String, len: usize, line: usize) -> Result<(), JournalError> {
        if let Record::Begin(begin) = &record
            && begin.format != FORMAT
        {
            return Err(JournalError::OtherFormat { found: begin.format });
        }
        if !self.may_follow(&record) {
            let found = record.to_json().to_string().chars().take(40).collect();
            return Err(JournalError::OutOfOrder { line, found });
        }
        self.records.push(record);
        self.check = check;
        self.len += len as u64;
        Ok(())
    }

    /// Tells whether `record` may be the next one.
    fn may_follow(&self, record: &Record) -> bool {
        let steps = self.begin().map_or(0, |begin| begin.steps.len());
        match (self.phase(), record) {
            (Phase::Staging, Record::Begin(_)) => true,
            (Phase::Open, Record::Intent { step }) => *step < steps,
            (Phase::Open, Record::Done { step }) => self.touches(*step),
            (Phase::Open, Record::Unregister) => true,
            (Phase::Open | Phase::Scheduled, Record::SetValues) => true,
            (Phase::Open, Record::Scheduled { .. } | Record::Commit { .. } | Record::Undo { .. }) => true,
            (Phase::Scheduled, Record::Commit { .. } | Record::Undo { .. }) => true,
            (Phase::Committed, Record::Undo { .. }) => true,
            // An undo that is taken up again may find other services running.
            (Phase::Undoing, Record::RolledBack { .. } | Record::Undo { .. }) => true,
            (Phase::Undoing, Record::Commit { .. }) => self.committed_at().is_some(),
            (Phase::Scheduled | Phase::Committed | Phase::RolledBack, Record::Restarted { .. }) => {
                !self.stopped().is_empty()
            }
            _ => false,
        }
    }

    /// Returns the length of its whole lines in bytes.
    pub fn end(&self) -> u64 {
        self.len
    }

    /// Returns the line that adds `record`, and the byte at which it is to be written.
    pub fn line(&self, record: &Record) -> (u64, String) {
        let text = record.to_json().to_string();
        (self.len, format!("{} {text}\n", check_of(&self.check, &text)))
    }

    /// Takes in a record whose line has been written.
    pub fn written(&mut self, record: Record, line: &str) -> Result<(), JournalError> {
        let check = line.split(' ').next().unwrap_or_default().to_owned();
        let number = self.records.len() + 1;
        self.push(record, check, line.len(), number)
    }

    /// Returns the first record.
    pub fn begin(&self) -> Option<&Begin> {
        match self.records.first() {
            Some(Record::Begin(begin)) => Some(begin),
            _ => None,
        }
    }

    /// Returns how the machine was reached.
    pub fn backends(&self) -> Option<Backends> {
        let Begin { services_at, registry_at, .. } = self.begin()?;
        Some(Backends { services: services_at.clone(), registry: registry_at.clone() })
    }

    /// Tells whether the file of a step was touched, or was about to be.
    pub fn touches(&self, step: usize) -> bool {
        self.records.contains(&Record::Intent { step })
    }

    /// Returns how far the run has come.
    pub fn phase(&self) -> Phase {
        let tells = |record: &&Record| {
            !matches!(record, Record::Unregister | Record::SetValues | Record::Restarted { .. })
        };
        match self.records.iter().rev().find(tells) {
            Some(Record::Begin(_) | Record::Intent { .. } | Record::Done { .. }) => Phase::Open,
            Some(Record::Scheduled { .. }) => Phase::Scheduled,
            Some(Record::Commit { .. }) => Phase::Committed,
            Some(Record::Undo { .. }) => Phase::Undoing,
            Some(Record::RolledBack { .. }) => Phase::RolledBack,
            Some(Record::Unregister | Record::SetValues | Record::Restarted { .. }) | None => Phase::Staging,
        }
    }

    /// Returns the services that the run, or its undo, found running and has not recorded as running again.
    ///
    /// In the order of starting, which is the reverse of that of stopping.
    pub fn stopped(&self) -> Vec<&str> {
        let mut stopped: &[ServiceRecord] = &[];
        for record in &self.records {
            match record {
                Record::Begin(begin) => stopped = &begin.services,
                Record::Undo { services, .. } if !services.is_empty() => stopped = services,
                Record::Restarted { .. } => stopped = &[],
                _ => {}
            }
        }
        let running = stopped.iter().rev().filter(|record| record.was == ServiceState::Running);
        running.map(|record| record.service.as_str()).collect()
    }

    /// Returns how many files were touched, or were about to be.
    pub fn touched(&self) -> usize {
        self.records.iter().filter(|record| matches!(record, Record::Intent { .. })).count()
    }

    /// Tells whether COM servers were unregistered, or about to be.
    pub fn has_unregistered(&self) -> bool {
        self.records.contains(&Record::Unregister)
    }

    /// Tells whether registry values were set, or about to be.
    pub fn has_set_values(&self) -> bool {
        self.records.contains(&Record::SetValues)
    }

    /// Tells whether there is nothing to put back: neither a file nor a value was touched, or about to be.
    pub fn is_untouched(&self) -> bool {
        self.touched() == 0 && !self.has_set_values()
    }

    /// Returns when the run was committed.
    pub fn committed_at(&self) -> Option<&str> {
        self.records.iter().rev().find_map(|record| match record {
            Record::Commit { at } => Some(at.as_str()),
            _ => None,
        })
    }
}

fn check_of(previous: &str, record: &str) -> String {
    Digest::of(format!("{previous}{record}").as_bytes()).prefix()
}

/// Parses a line without its end; none if its check is wrong, no record if its record is unknown.
fn parse(line: &[u8], previous: &str) -> Option<(Option<Record>, String)> {
    let (check, record) = std::str::from_utf8(line).ok()?.split_once(' ')?;
    if check != check_of(previous, record) {
        return None;
    }
    let json = Json::parse(record.as_bytes());
    Some((json.and_then(|json| Record::from_json(&json)).ok(), check.to_owned()))
}

/// Tells whether a last line is a whole record and, where its line feed should be, something else with more behind.
///
/// That is two records with a damaged byte between them, and no torn append: one leaves nothing, or zeros.
fn has_lost_its_end(line: &[u8], previous: &str) -> bool {
    // The check and the space behind it, then one JSON value.
    let Some(record) = line.get(CHECK_LEN + 1..) else { return false };
    let Ok((_, len)) = Json::parse_first(record) else { return false };
    let end = CHECK_LEN + 1 + len;
    let behind = line.get(end..).unwrap_or_default();
    behind.iter().any(|byte| *byte != 0)
        && line.get(..end).is_some_and(|record| parse(record, previous).is_some())
}

#[cfg(test)]
mod tests;
