//! What a server does not allow: refused or rolled back, and nothing is mixed.

use std::fs::{self, File};

use qfe_patcher::exit::ExitCode;
use qfe_tests::programs::Run;
use qfe_tests::share::Share;

use crate::site::{Product, Site, claims_no_success};

/// What a disk in memory gives out at once.
const PAGE: usize = 4096;

#[test]
fn a_share_that_can_only_be_read_is_refused_and_nothing_is_changed() {
    let Some(share) = Share::start_read_only() else { return };
    let site = Site::tiny(share, "i386");
    let machine = site.machine();
    site.apply(&machine).ends(ExitCode::AccessDenied);
    site.is(&[&site.old], "refused");
    assert_eq!(fs::read_dir(site.share.disk()).unwrap().count(), 2, "BIN and Logs");
    assert_eq!(fs::read_dir(site.share.disk().join("Logs")).unwrap().count(), 0);
}

/// Applies to ever larger disks, until one is large enough.
fn fills_up(step: usize, furnish: impl Fn(Share) -> Site) {
    let Some(share) = Share::start() else { return };
    let furnished = pages_of(&furnish(share).old);
    let mut refused = 0;
    for free in (2..).step_by(step) {
        let Some(share) = Share::start_small((furnished + free) * PAGE) else { return };
        let site = furnish(share);
        let machine = site.machine();
        let run = site.apply(&machine);
        let story = format!("{free} free pages: {} {}", run.status, run.stdout);
        if run.status == 0 {
            site.is(&[&site.new], &story);
            break;
        }
        claims_no_success(&run, &story);
        assert!(
            [ExitCode::DiskFull, ExitCode::Failed].map(ExitCode::status).contains(&run.status),
            "{story}"
        );
        site.is(&[&site.old], &story);
        site.comes_to_rest(&machine, &story);
        site.is(&[&site.old], &story);
        refused += 1;
    }
    println!("{refused} disks were too small");
    assert!(refused > 0);
}

/// Returns how many pages the files take on a disk in memory.
fn pages_of(product: &Product) -> usize {
    // The log of the product's is not among them.
    1 + product.values().map(|bytes| bytes.len().div_ceil(PAGE)).sum::<usize>()
}

#[test]
fn a_server_whose_disk_is_full_at_any_page_of_a_small_update_has_its_old_files() {
    fills_up(1, |share| Site::tiny(share, "alpha"));
}

#[test]
fn a_server_whose_disk_is_full_within_large_files_has_its_old_files() {
    fills_up(150, |share| Site::sample(share, "i386"));
}

/// Requires that a run ended with an error that names the file.
#[track_caller]
fn fails_over(run: &Run, file: &str) {
    claims_no_success(run, file);
    let json = run.json();
    let reasons = format!("{} {}", json["error"], json["causes"]);
    assert!(reasons.contains(file), "{file} is not in {reasons}");
}

#[test]
fn a_file_that_another_machine_has_open_is_named_and_everything_is_rolled_back() {
    let Some(share) = Share::start() else { return };
    let site = Site::tiny(share, "alpha");
    let machine = site.machine();
    let other = site.share.machine("ADMIN2");
    let held = File::open(other.seen().join("BIN/ALPHA/TWO.INI")).unwrap();
    let run = site.apply(&machine);
    fails_over(&run, "TWO.INI");
    site.is(&[&site.old], "held");
    drop(held);
    site.comes_to_rest(&machine, "let go");
    site.apply(&machine).succeeds();
    site.is(&[&site.new], "applied");
}

#[test]
fn a_file_that_a_client_has_open_and_lets_others_delete_is_named_and_comes_back() {
    let Some(share) = Share::start() else { return };
    let site = Site::tiny(share, "i386");
    let machine = site.machine();
    let Some(held) = site.share.hold("BIN/I386/TWO.INI") else { return };
    let run = site.apply(&machine);
    if run.status != 0 {
        fails_over(&run, "TWO.INI");
    }
    drop(held);
    site.comes_to_rest(&machine, "let go");
    site.apply(&machine).succeeds();
    site.is(&[&site.new], "applied");
}

#[test]
fn a_file_with_the_read_only_attribute_is_replaced_and_put_back_or_named() {
    let Some(share) = Share::start() else { return };
    let site = Site::tiny(share, "i386");
    let machine = site.machine();
    site.share.set_read_only("BIN/I386/TWO.INI");
    let run = site.apply(&machine);
    if run.status == 0 {
        site.is(&[&site.new], "applied");
        machine.run("rollback").succeeds();
    } else {
        fails_over(&run, "TWO.INI");
    }
    site.is(&[&site.old], "refused, or rolled back");
}
