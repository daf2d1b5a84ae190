//! What a journal takes, keeps and refuses.

use super::*;
use crate::platform::Platform;

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
    assert_eq!(phases, [Staging, Open, Open, Open, Open, Open, Committed, Committed, Undoing, RolledBack]);
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
