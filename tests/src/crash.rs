//! The model of crashes: runs on machines in memory, interrupted at every step in every way, and recovered.
//!
//! [`machine`] says what is run on what, [`explore`] interrupts it, and [`stories`] lists what is tried. The disks of
//! these machines lose, tear and reorder what was not synced (`qfe_patcher::host::Memory`).

use qfe_patcher::host::Memory;

use crate::samples::{Files, tiny, tiny_successor};

pub mod explore;
pub mod machine;

use explore::Story;
use machine::{Product, file, run_apply, run_rollback, server};

fn apply(machine: &Memory) {
    drop(run_apply(machine, tiny()));
}

fn apply_successor(machine: &Memory) {
    drop(run_apply(machine, tiny_successor()));
}

fn roll_back(machine: &Memory) {
    drop(run_rollback(machine));
}

/// Returns a server with T1's old files; with T1 installed; and with T2 installed over it.
pub fn servers(platform: &str) -> [Memory; 3] {
    let old = server(platform, &tiny().old);
    let new = old.next_process(&[]);
    run_apply(&new, tiny()).expect("nothing interrupts it");
    let newest = new.next_process(&[]);
    run_apply(&newest, tiny_successor()).expect("nothing interrupts it");
    [old, new, newest]
}

/// Returns a server on which T1 was installed and a file of it damaged, and the same after T1 was applied again.
pub fn damaged_and_healed(platform: &str) -> [Memory; 2] {
    let [_, damaged, _] = servers(platform);
    damaged.put(&file(platform, "One.ini"), b"damaged");
    let healed = damaged.next_process(&[]);
    run_apply(&healed, tiny()).expect("nothing interrupts it");
    [damaged, healed]
}

/// Returns a server on which somebody had put T1's new files, and the same after T1 was applied and recorded there.
pub fn by_hand_and_recorded(platform: &str) -> [Memory; 2] {
    let by_hand = server(platform, &tiny().new);
    let recorded = by_hand.next_process(&[]);
    run_apply(&recorded, tiny()).expect("nothing interrupts it");
    [by_hand, recorded]
}

/// Returns all that is tried on a platform: fresh files, new files that nobody recorded, files of an earlier update, damaged files, files in use;
/// applied and rolled back.
pub fn stories(platform: &str) -> Vec<Story> {
    let [old, new, newest] = servers(platform);
    let [damaged, healed] = damaged_and_healed(platform);
    let [by_hand, recorded] = by_hand_and_recorded(platform);
    let in_use = old.next_process(&[]);
    in_use.hold_open(Some(&file(platform, "Two.ini")));
    let files: &Files = &tiny().old;
    let story = |name: &str, start: &Memory, run: fn(&Memory), ends: &[&Memory]| Story {
        name: format!("{name}, {platform}, {} files", files.len() + 1),
        start: start.next_process(&[]),
        run,
        ends: ends.iter().map(|end| Product::of(end)).collect(),
        original: ends.first().map(|end| Product::of(end)),
    };
    vec![
        story("apply", &old, apply, &[&old, &new]),
        story("apply over another update", &new, apply_successor, &[&new, &newest]),
        // What was damaged and not healed is not put over what was installed.
        Story {
            original: Some(Product::of(&old)),
            ..story("apply to damaged files", &damaged, apply, &[&damaged, &new])
        },
        story("apply to new files", &by_hand, apply, &[&by_hand, &recorded]),
        story("rollback of a mere record", &recorded, roll_back, &[&by_hand, &recorded]),
        story("apply to files in use", &in_use, apply, &[&old, &new]),
        story("rollback", &new, roll_back, &[&old, &new]),
        story("rollback of the later of two updates", &newest, roll_back, &[&new, &newest]),
        story("rollback of two runs", &healed, roll_back, &[&old, &damaged, &new]),
    ]
}
