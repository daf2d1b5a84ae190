//! Targets that cannot be written, altogether or in one place.

use std::path::{Path, PathBuf};

use qfe_patcher::exit::ExitCode;
use qfe_tests::args;
use qfe_tests::programs::{has_tool, tool};

use crate::case::every;
use crate::findings::Findings;
use crate::lab::{FileSystem, Lab, Mount, Volume, mount};
use crate::site::Site;

const PLACES: [&str; 6] = ["Bin/i386/One.ini", "Bin/i386/Two.ini", "Bin/i386/New.ini", "Bin/i386", "Bin", ""];
/// How a run ends that something forbids, before or after a file was touched.
const ENDS: [ExitCode; 3] = [ExitCode::AccessDenied, ExitCode::InUse, ExitCode::Failed];

/// Runs every case with each of these in its way, which `obstruct` puts there and its result takes away.
fn sweep<O>(
    lab: &Lab,
    site: &Site,
    places: &[&str],
    codes: &[ExitCode],
    obstruct: impl Fn(PathBuf) -> O,
    what: &str,
) {
    let mut findings = Findings::default();
    for case in every(lab, site) {
        for place in places {
            case.begin();
            let path = site.root().join(place);
            if path.exists() {
                let obstacle = obstruct(path);
                let end = case.require_end(&case.run(), codes);
                drop(obstacle);
                findings.note(&case.story(what, place), end.and_then(|promised| case.keep(promised)));
            }
        }
    }
    findings.end(&format!("runs {what}"));
}

#[test]
fn a_read_only_target_is_refused_as_it_is() {
    Lab::open(&["strace"], |lab| {
        let site = Site::tiny(lab.path("server"));
        let obstruct = |path: PathBuf| {
            let bound = Mount::new(["--bind".as_ref(), &path, &path]);
            mount(["-o".as_ref(), "remount,bind,ro".as_ref(), &path]);
            bound
        };
        sweep(lab, &site, &[""], &[ExitCode::AccessDenied], obstruct, "with a read-only target");
    });
}

#[test]
fn a_file_that_is_a_mount_point_leaves_old_or_new() {
    Lab::open(&["strace"], |lab| {
        let site = Site::tiny(lab.path("server"));
        let obstruct = |path: PathBuf| Mount::new(["--bind".as_ref(), &path, &path]);
        sweep(lab, &site, &PLACES[..3], &ENDS, obstruct, "with a mount point");
    });
}

/// A file or folder with an attribute of ext4 that forbids things, also to root.
struct Forbidden {
    attribute: char,
    path: PathBuf,
}

impl Forbidden {
    fn new(attribute: char, path: PathBuf) -> Self {
        tool("chattr", Path::new("/"), args![format!("+{attribute}"), &path]);
        Self { attribute, path }
    }
}

impl Drop for Forbidden {
    fn drop(&mut self) {
        tool("chattr", Path::new("/"), args![format!("-{}", self.attribute), &self.path]);
    }
}

/// Runs a sweep of a site on ext4, which has attributes.
fn with_attributes(run: impl FnOnce(&Lab, &Site) + Send) {
    if !has_tool("chattr") {
        return;
    }
    Lab::open(&FileSystem::Ext4.tools(), |lab| {
        if let Some(volume) = Volume::new(lab, FileSystem::Ext4) {
            run(lab, &Site::on(volume));
        }
    });
}

#[test]
fn an_immutable_file_or_folder_leaves_old_or_new() {
    with_attributes(|lab, site| {
        let obstruct = |path| Forbidden::new('i', path);
        sweep(lab, site, &PLACES, &ENDS, obstruct, "with something immutable");
    });
}

#[test]
fn after_a_folder_in_which_files_can_only_be_added_the_next_recover_leaves_old_or_new() {
    with_attributes(|lab, site| {
        // A file that was added there cannot be taken back.
        let codes = [ENDS.as_slice(), &[ExitCode::RollbackFailed]].concat();
        let obstruct = |path| Forbidden::new('a', path);
        sweep(lab, site, &PLACES[3..], &codes, obstruct, "with a folder to be added to");
    });
}
