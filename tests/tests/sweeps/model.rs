//! The model of crashes, every recovery interrupted as well: see `qfe_tests::crash`.

use qfe_tests::crash::explore::Depth;
use qfe_tests::crash::machine::PLATFORMS;
use qfe_tests::crash::stories;

/// Explores each story of a platform whose name begins so.
fn explore(beginning: &str, depth: Depth) {
    let stories = PLATFORMS.into_iter().flat_map(stories);
    for story in stories.filter(|story| story.name.starts_with(beginning)) {
        let explored = story.explore(depth);
        explored.tell(&format!("{}, {depth:?} interrupted", story.name));
    }
}

#[test]
fn an_apply_whose_recovery_is_interrupted_ends_old_or_new() {
    explore("apply,", Depth::Recovery);
}

#[test]
fn a_rollback_whose_recovery_is_interrupted_ends_old_or_new() {
    explore("rollback,", Depth::Recovery);
}

#[test]
fn an_apply_to_files_in_use_whose_recovery_is_interrupted_ends_old_or_new() {
    explore("apply to files in use", Depth::Recovery);
}

#[test]
fn a_run_that_fails_and_fails_again_while_it_is_undone_ends_old_or_new() {
    for story in PLATFORMS.into_iter().flat_map(stories) {
        story.explore_pairs().tell(&format!("{}, failing twice", story.name));
    }
}
