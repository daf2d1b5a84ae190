//! Disks with any room from none to enough.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;

use qfe_patcher::exit::ExitCode;
use qfe_tests::args;
use qfe_tests::programs::tool;

use crate::case::every;
use crate::findings::Findings;
use crate::lab::{FileSystem, Lab, Mount, Volume, mount};
use crate::site::Site;

/// What a file takes at least in memory.
const PAGE: u64 = 4096;
/// What a file takes at least on a small ext4 volume.
const BLOCK: u64 = 1024;

/// A disk that can be made nearly full.
trait Disk {
    /// Leaves this much, as the kind of disk counts it; false where it cannot.
    fn fill(&self, room: u64) -> bool;

    /// Leaves more than enough.
    fn empty(&self);
}

/// A folder in memory with so many pages, or so many files, in all.
struct Memory {
    mount: PathBuf,
    limit: Limit,
    _mounted: Mount,
}

#[derive(Clone, Copy, Debug)]
enum Limit {
    Pages,
    Files,
}

impl Memory {
    fn new(lab: &Lab, limit: Limit) -> Self {
        let at = lab.make_folder("disk");
        let mounted = Mount::new(["-t".as_ref(), "tmpfs".as_ref(), "disk".as_ref(), &at]);
        Self { mount: at, limit, _mounted: mounted }
    }
}

impl Disk for Memory {
    fn fill(&self, room: u64) -> bool {
        let limit = match self.limit {
            Limit::Pages => format!("remount,size={}", room * PAGE),
            Limit::Files => format!("remount,nr_inodes={room}"),
        };
        let output = Command::new("mount").args(args!["-o", limit, &self.mount]).output();
        output.expect("mount runs").status.success()
    }

    fn empty(&self) {
        mount(["-o".as_ref(), "remount,size=50%,nr_inodes=100000".as_ref(), Path::new(&self.mount)]);
    }
}

/// A volume, filled up by a file until so many blocks are left.
struct Filled(Rc<Volume>);

impl Filled {
    fn filler(&self) -> PathBuf {
        self.0.path().join("filler")
    }
}

impl Disk for Filled {
    fn fill(&self, room: u64) -> bool {
        let free = tool("stat", self.0.path(), ["--file-system", "--format=%a %S", "."]).stdout;
        let (blocks, size) = free.trim().split_once(' ').unwrap();
        let free = blocks.parse::<u64>().unwrap() * size.parse::<u64>().unwrap();
        let length = (free - room * BLOCK).to_string();
        // A file system keeps some room for its own records.
        let output = Command::new("fallocate").args(args!["--length", length, self.filler()]).output();
        output.expect("fallocate runs").status.success()
    }

    fn empty(&self) {
        if self.filler().exists() {
            fs::remove_file(self.filler()).unwrap();
            self.0.sync();
        }
    }
}

/// Runs every case on a disk of every room in these steps, until three were enough.
fn sweep(lab: &Lab, site: &Site, disk: &dyn Disk, step: u64, what: &str) {
    let mut findings = Findings::default();
    for case in every(lab, site) {
        let mut enough = 0;
        let mut room = 0;
        while enough < 3 {
            room += step;
            assert!(room < 20_000, "no room is enough for {}", case.story("apply", &room));
            case.begin();
            if disk.fill(room) {
                let run = case.run();
                let end = case.require_end(&run, &[ExitCode::DiskFull, ExitCode::Failed]);
                disk.empty();
                let story = case.story("with room", &room);
                findings.note(&story, end.and_then(|promised| case.keep(promised)));
                enough += usize::from(run.status == 0);
            }
            disk.empty();
        }
    }
    findings.end(what);
}

#[test]
fn a_disk_with_too_few_pages_leaves_old_or_new() {
    Lab::open(&["strace"], |lab| {
        let disk = Memory::new(lab, Limit::Pages);
        let site = Site::tiny(disk.mount.join("server"));
        sweep(lab, &site, &disk, 1, "disks with too few pages");
    });
}

#[test]
fn a_disk_with_too_few_inodes_leaves_old_or_new() {
    Lab::open(&["strace"], |lab| {
        let disk = Memory::new(lab, Limit::Files);
        let site = Site::tiny(disk.mount.join("server"));
        sweep(lab, &site, &disk, 1, "disks with too few inodes");
    });
}

#[test]
fn a_disk_that_is_full_in_the_middle_of_a_file_leaves_old_or_new() {
    Lab::open(&["strace"], |lab| {
        let disk = Memory::new(lab, Limit::Pages);
        let site = Site::large(disk.mount.join("server"));
        sweep(lab, &site, &disk, 37, "disks full in the middle of a file");
    });
}

#[test]
fn a_full_ext4_volume_leaves_old_or_new() {
    full_volume(FileSystem::Ext4, 1);
}

#[test]
fn a_full_xfs_volume_leaves_old_or_new() {
    full_volume(FileSystem::Xfs, 4);
}

fn full_volume(file_system: FileSystem, step: u64) {
    Lab::open(&file_system.tools(), |lab| {
        let Some(volume) = Volume::new(lab, file_system) else { return };
        let site = Site::on(Rc::clone(&volume));
        sweep(lab, &site, &Filled(volume), step, &format!("full {file_system:?} volumes"));
    });
}
