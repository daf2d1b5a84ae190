//! Every way a run can be interrupted, and its recovery once more.

use std::collections::BTreeSet;
use std::io::ErrorKind;

use qfe_patcher::host::{Fault, Memory};

use super::machine::{Product, run_recover, run_rollback};

/// Errors that any step may end with: no space, a failing disk, no permission, a file in use.
pub const ERRORS: [ErrorKind; 4] =
    [ErrorKind::StorageFull, ErrorKind::Other, ErrorKind::PermissionDenied, ErrorKind::ResourceBusy];

/// A run to be interrupted.
#[derive(Debug)]
pub struct Story {
    /// What is run, in words.
    pub name: String,
    /// The machine before.
    pub start: Memory,
    /// The run; whatever it returns is judged by what it leaves.
    pub run: fn(&Memory),
    /// What the product may be in the end; installed is the last of them.
    pub ends: Vec<Product>,
    /// What a rollback makes of the installed one; none where it is refused.
    pub original: Option<Product>,
}

/// What is interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// The run.
    Run,
    /// The run, and then its recovery as well.
    Recovery,
}

/// What was explored.
#[derive(Debug, Default)]
pub struct Explored {
    /// Histories: one run with its faults, what the disk made of it, and the recovery with its own.
    pub histories: usize,
    recovered: BTreeSet<u64>,
    rested: BTreeSet<u64>,
}

impl Explored {
    /// Tells what was explored, for the test's output.
    pub fn tell(&self, story: &str) {
        println!(
            "{story}: {} histories explored, {} different machines recovered, {} different ends",
            self.histories,
            self.recovered.len(),
            self.rested.len()
        );
    }
}

/// Returns how many steps a run takes that nothing interrupts.
pub fn count(start: &Memory, run: fn(&Memory)) -> usize {
    let machine = start.next_process(&[]);
    run(&machine);
    machine.steps().len()
}

/// Returns what may be found after a process that did not come to its end: all that was done, what a loss of power
/// left of it, and what a restart made of it.
fn found_after(machine: &Memory) -> Vec<Memory> {
    let mut found = vec![machine.next_process(&[])];
    found.extend(machine.after_power_loss());
    found.extend(machine.awaits_restart().then(|| machine.restarted()));
    found
}

fn recovery(machine: &Memory) {
    drop(run_recover(machine));
}

impl Story {
    /// Interrupts the run at every step in every way, and, if that is wanted, the recovery that follows at every step
    /// of its own.
    pub fn explore(&self, depth: Depth) -> Explored {
        let mut explored = Explored::default();
        let steps = count(&self.start, self.run);
        for at in 0..=steps {
            let mut faults = vec![Fault::Kill];
            faults.extend(ERRORS.map(Fault::Fail));
            faults.extend(ERRORS.map(Fault::FailOn));
            for fault in faults {
                self.interrupt(&[(at, fault)], depth, &mut explored);
            }
        }
        explored
    }

    /// Lets one step of the run fail, and then any later one, or kills it there while it puts things right.
    pub fn explore_pairs(&self) -> Explored {
        let mut explored = Explored::default();
        let first = Fault::Fail(ErrorKind::Other);
        for at in 0..count(&self.start, self.run) {
            let steps = {
                let machine = self.start.next_process(&[(at, first)]);
                (self.run)(&machine);
                machine.steps().len()
            };
            for again in at + 1..=steps {
                for second in [Fault::Kill, Fault::Fail(ErrorKind::PermissionDenied)] {
                    self.interrupt(&[(at, first), (again, second)], Depth::Run, &mut explored);
                }
            }
        }
        explored
    }

    fn interrupt(&self, faults: &[(usize, Fault)], depth: Depth, explored: &mut Explored) {
        let machine = self.start.next_process(faults);
        (self.run)(&machine);
        for (number, found) in found_after(&machine).into_iter().enumerate() {
            let story = format!("{}, {faults:?}, found {number}", self.name);
            let is_new = self.comes_to_rest(&found, &story, explored);
            if is_new && depth == Depth::Recovery {
                self.interrupt_recovery(&found, &story, explored);
            }
        }
    }

    /// Interrupts the recovery at every step, and recovers again.
    fn interrupt_recovery(&self, found: &Memory, story: &str, explored: &mut Explored) {
        for at in 0..count(found, recovery) {
            for fault in [Fault::Kill, Fault::Fail(ErrorKind::Other)] {
                let machine = found.next_process(&[(at, fault)]);
                recovery(&machine);
                for (number, again) in found_after(&machine).into_iter().enumerate() {
                    let story = format!("{story}, recovery {fault:?} at {at}, found {number}");
                    self.comes_to_rest(&again, &story, explored);
                }
            }
        }
    }

    /// Recovers, and requires that the product is then as it may be, that nothing is left over, that a second
    /// recovery does nothing, and that what is installed can be rolled back. Tells whether the machine was a new one.
    fn comes_to_rest(&self, found: &Memory, story: &str, explored: &mut Explored) -> bool {
        explored.histories += 1;
        if !explored.recovered.insert(found.fingerprint()) {
            return false;
        }
        let machine = found.next_process(&[]);
        if let Err(error) = run_recover(&machine) {
            panic!("{story}: recovery failed: {error}\n{:#?}", machine.tree().keys());
        }
        if explored.rested.insert(machine.fingerprint()) {
            self.check_rest(&machine, story);
        }
        true
    }

    fn check_rest(&self, machine: &Memory, story: &str) {
        let product = Product::of(machine);
        assert!(self.ends.contains(&product), "{story}: neither old nor new: {product:#?}");
        let again = machine.next_process(&[]);
        assert!(
            run_recover(&again).is_ok_and(|did| did.is_empty()),
            "{story}: a second recovery found something"
        );
        assert_eq!(again.steps(), Vec::<String>::new(), "{story}: a second recovery did something");
        let is_left = |path: &&std::path::PathBuf| {
            ["/stage", "/cancelled", ".lock"].iter().any(|part| path.to_string_lossy().contains(part))
        };
        if let Some(left) = machine.tree().keys().find(is_left) {
            assert!(machine.awaits_restart(), "{story}: {} was left", left.display());
            let restarted = machine.restarted();
            assert!(run_recover(&restarted).is_ok(), "{story}: no recovery after the restart");
            let installed = Some(Product::of(&restarted));
            assert_eq!(installed.as_ref(), self.ends.last(), "{story}: the restart did not complete it");
        }
        self.check_backup(machine, &product, story);
    }

    /// Requires that what is installed can be rolled back.
    fn check_backup(&self, machine: &Memory, product: &Product, story: &str) {
        if let Some(original) = self.original.as_ref().filter(|_| Some(product) == self.ends.last()) {
            let machine = machine.next_process(&[]);
            run_rollback(&machine).unwrap_or_else(|error| panic!("{story}: no rollback: {error}"));
            assert_eq!(Product::of(&machine), *original, "{story}: the backup is not whole");
        }
    }
}
