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

use std::path::PathBuf;

use super::apply::Backends;
use crate::bundle::keyring::Edition;
use crate::chain::debug_as_shown;
use crate::day::Day;
use crate::digest::Digest;
use crate::host::{RegistryAt, ServiceStart, ServiceState, ServicesAt};
use crate::json::{FromJson, Json, ToJson, object_json, tagged_json};
use crate::name::{Role, UpdateId};
use crate::platform::Platform;
use crate::registry::{RegistryKey, RegistryValue};
use crate::target_path::TargetPath;
use crate::version::FileVersion;

/// The version of the journal's format.
pub const FORMAT: u32 = 1;
/// Digits of a line's check.
const CHECK_LEN: usize = 16;
/// Largest journal that is read.
pub const MAX_JOURNAL: u64 = 64 << 20;

/// One line of a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// Everything is staged; nothing of the target is touched yet.
    Begin(Box<Begin>),
    /// The file of this step is about to be replaced; its backup is durable.
    Intent {
        /// Position in [`Begin::steps`].
        step: usize,
    },
    /// The file of this step is replaced; durable at the latest with [`Record::Commit`].
    Done {
        /// Position in [`Begin::steps`].
        step: usize,
    },
    /// COM servers of the steps are about to be unregistered.
    Unregister,
    /// Registry values are about to be set.
    SetValues,
    /// Every file waits to be replaced at the next start of the system.
    Scheduled {
        /// When, UTC.
        at: String,
    },
    /// Every file is replaced and was checked: the run stands.
    Commit {
        /// When, UTC.
        at: String,
    },
    /// Everything is about to be put back.
    Undo {
        /// When, UTC.
        at: String,
        /// Why.
        reason: String,
        /// The services that are stopped for it, and what they were. The run's own are meant where there are none.
        services: Vec<ServiceRecord>,
    },
    /// Everything is as it was before the run.
    RolledBack {
        /// When, UTC.
        at: String,
    },
    /// The services that had been stopped run again.
    Restarted {
        /// When, UTC.
        at: String,
    },
}

tagged_json!(Record by "record" {
    "intent" = Intent { step },
    "done" = Done { step },
    "unregister" = Unregister {},
    "set-values" = SetValues {},
    "scheduled" = Scheduled { at },
    "commit" = Commit { at },
    "undo" = Undo { at, reason, services or default },
    "rolled-back" = RolledBack { at },
    "restarted" = Restarted { at },
} and "begin" = Begin);

/// What a run is about to do, complete enough to undo it without its bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begin {
    /// Version of the journal's format: 1.
    pub format: u32,
    /// Version of the patcher that wrote it.
    pub patcher: String,
    /// The update.
    pub id: UpdateId,
    /// Its revision.
    pub revision: u32,
    /// Its title.
    pub title: String,
    /// The product it is for.
    pub product: String,
    /// Digest of the signed manifest.
    pub manifest: Digest,
    /// Ids of the keys whose signatures were believed.
    pub signers: Vec<String>,
    /// The part the target plays.
    pub role: Role,
    /// The platform of the target.
    pub platform: Platform,
    /// The build, as the user stated it; none if it was not stated.
    pub assumed_build: Option<u16>,
    /// The number of this run in the target, over all updates: what is undone first has the highest.
    pub sequence: u32,
    /// When, UTC.
    pub at: String,
    /// The log, below the target.
    pub log: TargetPath,
    /// Updates whose place it takes.
    pub supersedes: Vec<UpdateId>,
    /// The services that hold the files, in the order of stopping.
    pub services: Vec<ServiceRecord>,
    /// Who controls these services; none: nobody.
    pub services_at: Option<ServicesAt>,
    /// Where the registry is; none: it was not looked at.
    pub registry_at: Option<RegistryAt>,
    /// The registry values that it sets once every file is replaced.
    pub values: Vec<ValueRecord>,
    /// What the admin does by hand before, where he was told to.
    pub before: Vec<String>,
    /// What he does afterwards.
    pub after: Vec<String>,
    /// The bundle that it was made from; none: from none, or its path is no Unicode text.
    pub bundle: Option<PathBuf>,
    /// The key ring by which the bundle was believed; none: it had no version.
    pub ring: Option<Edition>,
    /// The latest day that was known; none: no bundle was believed.
    pub seen: Option<Day>,
    /// The revision below which it went, as the user said: that which was installed, or the oldest not withdrawn.
    pub downgrade: Option<u32>,
    /// The files, in the order in which they are replaced.
    pub steps: Vec<StepRecord>,
}

object_json!(Begin {
    format,
    patcher,
    id,
    revision,
    title,
    product,
    manifest,
    signers,
    role,
    platform,
    assumed_build,
    sequence,
    at,
    log,
    supersedes or default,
    services or default,
    services_at or default,
    registry_at or default,
    values or default,
    before or default,
    after or default,
    bundle or default,
    ring or default,
    seen or default,
    downgrade or default,
    steps,
});

/// A file that a run replaces or adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepRecord {
    /// The file below the target, as the disk spells it.
    pub to: TargetPath,
    /// What was there; none if nothing was.
    pub old: Option<FileRecord>,
    /// What is put there.
    pub new: FileRecord,
    /// Whether it is a COM server that the run registers.
    pub register: bool,
}

object_json!(StepRecord { to, old, new, register or default });

/// A registry value that a run sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueRecord {
    /// Its key.
    pub key: RegistryKey,
    /// Its name.
    pub name: String,
    /// What it was; none if it was not there.
    pub old: Option<RegistryValue>,
    /// What it is set to.
    pub new: RegistryValue,
    /// Keys that are made for it, innermost first.
    pub made: Vec<RegistryKey>,
}

object_json!(ValueRecord { key, name, old, new, made or default });

/// A service that a run stops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceRecord {
    /// Its key name.
    pub service: String,
    /// What it was before the run.
    pub was: ServiceState,
    /// Whether the system starts it; none in journals of patchers that did not look.
    pub start: Option<ServiceStart>,
    /// Services that depend on it and did not rest; each is listed before it.
    pub dependents: Vec<String>,
}

object_json!(ServiceRecord { service, was, start or default, dependents or default });

/// A file's contents as a journal knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRecord {
    /// Size in bytes.
    pub size: u64,
    /// Digest.
    pub sha256: Digest,
    /// File version, if it states one.
    pub version: Option<FileVersion>,
}

object_json!(FileRecord { size, sha256, version });

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
mod tests {
    use super::*;

    fn service(name: &str, was: ServiceState) -> ServiceRecord {
        ServiceRecord { service: name.to_owned(), was, start: None, dependents: Vec::new() }
    }

    fn begin() -> Record {
        let file =
            |bytes: &[u8]| FileRecord { size: bytes.len() as u64, sha256: Digest::of(bytes), version: None };
        let step = |to: &str| StepRecord {
            to: to.parse().unwrap(),
            old: Some(file(b"old")),
            new: file(b"new"),
            register: false,
        };
        Record::Begin(Box::new(Begin {
            format: FORMAT,
            patcher: "0.1.0".to_owned(),
            id: "Q1".parse().unwrap(),
            revision: 1,
            title: "t".to_owned(),
            product: "p".to_owned(),
            manifest: Digest::of(b"m"),
            signers: vec!["00".to_owned()],
            role: "console".parse().unwrap(),
            platform: Platform::Alpha,
            assumed_build: None,
            sequence: 1,
            at: "2000-01-28T10:49:00Z".to_owned(),
            log: "LOGS/Q1.log".parse().unwrap(),
            supersedes: Vec::new(),
            services_at: None,
            registry_at: None,
            values: Vec::new(),
            before: Vec::new(),
            after: Vec::new(),
            bundle: None,
            ring: None,
            seen: None,
            downgrade: None,
            services: vec![
                service("ONE", ServiceState::Running),
                service("TWO", ServiceState::Stopped),
                service("THREE", ServiceState::Running),
            ],
            steps: vec![step("a.dll"), step("b.dll")],
        }))
    }

    fn records() -> Vec<Record> {
        let at = || "2000-01-28T10:49:01Z".to_owned();
        vec![
            begin(),
            Record::Intent { step: 0 },
            Record::Done { step: 0 },
            Record::Intent { step: 1 },
            Record::Done { step: 1 },
            Record::Commit { at: at() },
            Record::Restarted { at: at() },
            Record::Undo { at: at(), reason: "asked".to_owned(), services: Vec::new() },
            Record::RolledBack { at: at() },
        ]
    }

    fn write(records: &[Record]) -> (Vec<u8>, Vec<usize>) {
        let mut journal = Journal::default();
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        for record in records {
            let (at, line) = journal.line(record);
            assert_eq!(at, bytes.len() as u64);
            bytes.extend(line.as_bytes());
            ends.push(bytes.len());
            journal.written(record.clone(), &line).unwrap();
        }
        (bytes, ends)
    }

    #[test]
    fn a_journal_cut_anywhere_holds_its_whole_lines() {
        let records = records();
        let (bytes, ends) = write(&records);
        for cut in 0..=bytes.len() {
            let whole = ends.iter().filter(|end| **end <= cut).count();
            let journal = Journal::read(&bytes[..cut]).unwrap();
            assert_eq!(journal.records, records[..whole], "cut at {cut}");
            assert_eq!(journal.len, if whole == 0 { 0 } else { ends[whole - 1] as u64 });
        }
    }

    #[test]
    fn a_changed_byte_never_changes_a_record() {
        let records = records();
        let (bytes, ends) = write(&records);
        let last_line = ends[ends.len() - 2];
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x10;
            match Journal::read(&changed) {
                Ok(journal) => {
                    assert!(at >= last_line, "byte {at} was taken as torn");
                    assert_eq!(journal.records, records[..records.len() - 1]);
                }
                Err(error) => assert!(matches!(error, JournalError::Corrupt { .. }), "byte {at}: {error}"),
            }
        }
    }

    #[test]
    fn lines_cannot_be_dropped_or_swapped() {
        let (bytes, ends) = write(&records());
        let mut dropped = bytes[..ends[0]].to_vec();
        dropped.extend(&bytes[ends[1]..]);
        assert!(matches!(Journal::read(&dropped), Err(JournalError::Corrupt { line: 2 })));
    }

    #[test]
    fn a_tail_of_zeros_is_a_torn_record() {
        let (mut bytes, _) = write(&records()[..2]);
        bytes.extend([0; 512]);
        assert_eq!(Journal::read(&bytes).unwrap().phase(), Phase::Open);
    }

    #[test]
    fn records_out_of_order_are_refused() {
        for order in [[1, 1], [0, 0], [0, 8]] {
            let all = records();
            let mut journal = Journal::default();
            let result = order.iter().try_for_each(|n| {
                let (_, line) = journal.line(&all[*n]);
                journal.written(all[*n].clone(), &line)
            });
            assert!(matches!(result, Err(JournalError::OutOfOrder { .. })), "{order:?}");
        }
        let mut journal = Journal::default();
        let (_, line) = journal.line(&begin());
        journal.written(begin(), &line).unwrap();
        assert!(journal.written(Record::Intent { step: 2 }, "x y\n").is_err(), "no such step");
    }

    #[test]
    fn a_whole_line_of_a_newer_patcher_is_not_taken_for_a_torn_one() {
        let (mut bytes, _) = write(&records()[..1]);
        let journal = Journal::read(&bytes).unwrap();
        let record = r#"{"record":"sang","song":"daisy"}"#;
        bytes.extend(format!("{} {record}\n", check_of(&journal.check, record)).as_bytes());
        assert!(matches!(Journal::read(&bytes), Err(JournalError::UnknownRecord { line: 2 })));
    }

    #[test]
    fn phases_follow_the_records() {
        let phases: Vec<Phase> =
            (0..=9).map(|n| Journal::read(&write(&records()[..n]).0).unwrap().phase()).collect();
        use Phase::{Committed, Open, RolledBack, Staging, Undoing};
        assert_eq!(
            phases,
            [Staging, Open, Open, Open, Open, Open, Committed, Committed, Undoing, RolledBack]
        );
    }

    #[test]
    fn services_are_started_in_reverse_until_that_is_recorded() {
        let stopped = |n: usize| {
            let journal = Journal::read(&write(&records()[..n]).0).unwrap();
            journal.stopped().into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(stopped(6), ["THREE", "ONE"]);
        assert!(stopped(7).is_empty(), "they run again");
        let mut journal = Journal::default();
        let at = || "2000-01-28T10:49:01Z".to_owned();
        let found = service("TWO", ServiceState::Running);
        let undo = Record::Undo { at: at(), reason: "asked".to_owned(), services: vec![found] };
        for record in [begin(), Record::Commit { at: at() }, Record::Restarted { at: at() }, undo] {
            let (_, line) = journal.line(&record);
            journal.written(record, &line).unwrap();
        }
        assert_eq!(journal.stopped(), ["TWO"], "what the undo found counts");
        let (_, line) = journal.line(&Record::Restarted { at: at() });
        assert!(journal.written(Record::Restarted { at: at() }, &line).is_err(), "not before its end");
    }
}
