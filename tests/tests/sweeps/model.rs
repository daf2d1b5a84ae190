//! The model of crashes, every recovery interrupted as well: see `qfe_tests::crash`.

use qfe_tests::crash::explore::{Depth, Explored, Story};
use qfe_tests::crash::stories;

/// Explores the story that begins so, of which there must be one.
fn explore(beginning: &str, explore: impl Fn(&Story) -> Explored) {
    explore_at_least(40_000, beginning, explore);
}

fn explore_at_least(histories: usize, beginning: &str, explore: impl Fn(&Story) -> Explored) {
    let stories = stories("i386");
    let story = stories.iter().find(|story| story.name.starts_with(beginning)).unwrap();
    let explored = explore(story);
    explored.tell(&story.name);
    assert!(explored.histories > histories, "{}", explored.histories);
}

#[test]
fn an_apply_whose_recovery_is_interrupted_ends_old_or_new() {
    explore("apply,", |story| story.explore(Depth::Recovery));
}

#[test]
fn a_rollback_whose_recovery_is_interrupted_ends_old_or_new() {
    explore("rollback,", |story| story.explore(Depth::Recovery));
}

#[test]
fn an_apply_to_files_in_use_whose_recovery_is_interrupted_ends_old_or_new() {
    explore("apply to files in use,", |story| story.explore(Depth::Recovery));
}

#[test]
fn a_rollback_of_two_runs_whose_recovery_is_interrupted_ends_before_or_after_one_of_them() {
    explore("rollback of two runs,", |story| story.explore(Depth::Recovery));
}

#[test]
fn an_apply_that_fails_and_fails_again_while_it_is_undone_ends_old_or_new() {
    explore("apply,", Story::explore_pairs);
}

#[test]
fn an_apply_over_another_update_that_fails_twice_ends_old_or_new() {
    explore("apply over another update,", Story::explore_pairs);
}

#[test]
fn a_record_of_new_files_whose_making_or_undo_is_interrupted_is_there_or_not() {
    for run in ["apply to new files,", "rollback of a mere record,"] {
        explore_at_least(5_000, run, |story| story.explore(Depth::Recovery));
        explore_at_least(5_000, run, Story::explore_pairs);
    }
}

#[test]
fn a_rollback_that_fails_and_fails_again_while_it_is_undone_ends_old_or_new() {
    explore("rollback,", Story::explore_pairs);
}
