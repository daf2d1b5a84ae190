//! Servers and patchers that end or hang in the middle of a run.
//!
//! Whatever a run says of itself is true on the server; a recovery leaves all old or all new; then the job can be done.

use qfe_patcher::exit::ExitCode;
use qfe_tests::programs::Run;
use qfe_tests::share::{Machine, Running, Share};

use crate::site::{Product, Site, claims_no_success};

/// What befalls a run.
#[derive(Clone, Copy, Debug)]
enum Blow {
    /// The server is killed, and is there again after the run.
    ServerKilled,
    /// The server is killed, and is there again at once.
    ServerRestarted,
    /// The server hangs until the run has ended, and then does what it was asked meanwhile.
    ServerHangs,
    /// The patcher is killed.
    PatcherKilled,
}

impl Blow {
    /// Strikes, and returns the run's end: none if it was killed.
    #[track_caller]
    fn strike(self, share: &Share, running: Running) -> Option<Run> {
        match self {
            Self::ServerKilled => {
                share.kill_server();
                let run = running.end();
                share.restart_server();
                Some(run)
            }
            Self::ServerRestarted => {
                share.kill_server();
                share.restart_server();
                Some(running.end())
            }
            Self::ServerHangs => {
                share.freeze_server();
                let run = running.end();
                share.thaw_server();
                Some(run)
            }
            Self::PatcherKilled => {
                running.kill();
                Some(running.end()).filter(|run| run.stdout.ends_with("}\n"))
            }
        }
    }
}

/// What a run does.
#[derive(Clone, Copy, Debug)]
enum Job {
    Apply,
    Rollback,
}

impl Job {
    /// Makes a site ready for the job.
    fn prepare(self, site: &Site, machine: &Machine<'_>) {
        match self {
            Self::Apply => {}
            Self::Rollback => drop(site.apply(machine).succeeds()),
        }
    }

    fn start(self, site: &Site, machine: &Machine<'_>) -> Running {
        match self {
            Self::Apply => machine.start(site.apply_args(machine)),
            Self::Rollback => machine.start(machine.args("rollback")),
        }
    }

    /// Returns the product before and after it.
    fn states(self, site: &Site) -> [&Product; 2] {
        match self {
            Self::Apply => [&site.old, &site.new],
            Self::Rollback => [&site.new, &site.old],
        }
    }

    /// Does the job after an interruption that may have left it done.
    #[track_caller]
    fn is_done_at_last(self, site: &Site, machine: &Machine<'_>, story: &str) {
        let run = self.start(site, machine).end();
        match self {
            Self::Rollback if run.status == ExitCode::NotInstalled.status() => {}
            Self::Apply | Self::Rollback => assert_eq!(run.status, 0, "{story}: {run:?}"),
        }
        let [_, after] = self.states(site);
        site.is(&[after], story);
    }
}

/// Counts the requests to the server of a job that nothing befalls.
fn requests_of(job: Job, site: &Site) -> usize {
    let machine = site.machine();
    job.prepare(site, &machine);
    let mut requests = site.share.requests();
    job.start(site, &machine).end().succeeds();
    requests.count()
}

/// Holds what a run says of itself against the server's disk; tells whether it failed.
#[track_caller]
fn tells_the_truth(job: Job, site: &Site, run: &Run, story: &str) -> bool {
    let [before, after] = job.states(site);
    if run.status == ExitCode::Success.status() {
        site.is(&[after], story);
        return false;
    }
    claims_no_success(run, story);
    if run.status != ExitCode::RollbackFailed.status() {
        site.is(&[before], story);
    }
    true
}

/// Interrupts a job at moments spread evenly over its requests to the server.
#[track_caller]
fn survives(job: Job, blow: Blow, moments: usize, site: impl Fn(Share) -> Site) {
    let Some(share) = Share::start() else { return };
    let requests_in_all = requests_of(job, &site(share));
    let mut interrupted = 0;
    for moment in 1..=moments {
        let Some(share) = Share::start() else { return };
        let site = site(share);
        let machine = site.machine();
        job.prepare(&site, &machine);
        let at = requests_in_all * moment / (moments + 1);
        let story = format!("{job:?}, {blow:?} at request {at} of {requests_in_all}");

        let mut requests = site.share.requests();
        let mut running = job.start(&site, &machine);
        running.goes_on_until(|| requests.count() >= at);
        let failed = match blow.strike(&site.share, running) {
            Some(run) => tells_the_truth(job, &site, &run, &story),
            None => true,
        };
        interrupted += usize::from(failed);
        site.comes_to_rest(&machine, &story);
        job.is_done_at_last(&site, &machine, &story);
    }
    println!("{job:?}, {blow:?}: {interrupted} of {moments} runs did not come to their end");
    if !matches!(blow, Blow::ServerRestarted) {
        // How many depends on how much the mount has sent ahead when the blow falls.
        assert!(interrupted > 0, "none of {moments} runs was interrupted");
    }
}

#[test]
fn a_server_killed_during_an_apply_leaves_old_or_new() {
    survives(Job::Apply, Blow::ServerKilled, 16, |share| Site::tiny(share, "i386"));
}

#[test]
fn a_server_killed_during_a_rollback_leaves_old_or_new() {
    survives(Job::Rollback, Blow::ServerKilled, 8, |share| Site::tiny(share, "alpha"));
}

#[test]
fn a_server_killed_while_it_is_sent_large_files_leaves_old_or_new() {
    survives(Job::Apply, Blow::ServerKilled, 8, |share| Site::sample(share, "alpha"));
}

#[test]
fn a_server_that_is_there_again_at_once_leaves_old_or_new() {
    survives(Job::Apply, Blow::ServerRestarted, 8, |share| Site::tiny(share, "alpha"));
}

#[test]
fn a_server_that_hangs_and_does_the_rest_later_leaves_old_or_new() {
    survives(Job::Apply, Blow::ServerHangs, 6, |share| Site::tiny(share, "i386"));
}

#[test]
fn a_patcher_killed_during_an_apply_leaves_old_or_new() {
    survives(Job::Apply, Blow::PatcherKilled, 16, |share| Site::tiny(share, "alpha"));
}

#[test]
fn a_patcher_killed_during_a_rollback_leaves_old_or_new() {
    survives(Job::Rollback, Blow::PatcherKilled, 8, |share| Site::tiny(share, "i386"));
}

#[test]
fn a_patcher_killed_while_it_sends_large_files_leaves_old_or_new() {
    survives(Job::Apply, Blow::PatcherKilled, 8, |share| Site::sample(share, "i386"));
}
