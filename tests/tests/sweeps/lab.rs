//! Where a sweep works: a thread with a mount namespace of its own, and in it a folder in memory.
//!
//! The namespace ends with its thread and the processes started by it, and every mount and loop device with the
//! namespace, however a sweep ends.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::{env, fs, panic, thread};

use nix::sched::{CloneFlags, unshare};
use qfe_tests::args;
use qfe_tests::programs::{Run, has_tool, tool};
use qfe_tests::samples::{tiny, workshop};
use tempfile::TempDir;

/// A folder in memory that only its sweep sees.
#[derive(Debug)]
pub(crate) struct Lab {
    _memory: Mount,
    folder: TempDir,
}

impl Lab {
    /// Runs a sweep in a lab, or says why it is skipped: without root's rights, or without one of the tools.
    pub(crate) fn open(tools: &[&str], sweep: impl FnOnce(&Lab) + Send) {
        if !["mount", "umount"].iter().chain(tools).all(|tool| has_tool(tool)) {
            return;
        }
        if let Err(error) = in_thread(leave_namespace) {
            return skip(&format!("no mount namespace can be made, root can ({error})"));
        }
        // Made before the namespace is: other sweeps are to see it, and its cleaner no mounts of this one.
        tiny();
        in_thread(|| {
            leave_namespace().unwrap();
            sweep(&Self::new());
        });
    }

    fn new() -> Self {
        mount(["--make-rprivate".as_ref(), Path::new("/")]);
        let folder = TempDir::new_in(workshop().path("")).unwrap();
        mount(["-t".as_ref(), "tmpfs".as_ref(), "lab".as_ref(), folder.path()]);
        Self { _memory: Mount(folder.path().to_owned()), folder }
    }

    /// Returns a path in the lab.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes an empty folder in the lab.
    pub(crate) fn make_folder(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir(&path).unwrap();
        path
    }
}

/// Runs something in a thread of its own; panics as it does.
fn in_thread<T: Send>(run: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(run).join()).unwrap_or_else(|panicked| panic::resume_unwind(panicked))
}

/// Gives this thread, and the processes it starts from now on, a mount namespace of their own.
fn leave_namespace() -> nix::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)
}

/// Says why a sweep is skipped. In CI, which can do everything, that fails it.
pub(crate) fn skip(why: &str) {
    assert!(env::var_os("CI").is_none(), "{why}, and CI needs it");
    eprintln!("skipped: {why}");
}

/// Something mounted: gone with this value, at once from sight and altogether when nobody uses it any more.
#[derive(Debug)]
pub(crate) struct Mount(PathBuf);

impl Mount {
    /// Mounts by these arguments of `mount`, of which the last is where.
    pub(crate) fn new<const N: usize>(args: [&Path; N]) -> Self {
        mount(args);
        Self(args[N - 1].to_owned())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("--lazy").arg(&self.0).stderr(Stdio::null()).status();
        drop(unmounted);
    }
}

/// Runs `mount`.
#[track_caller]
pub(crate) fn mount<const N: usize>(args: [&Path; N]) -> Run {
    tool("mount", Path::new("/"), args)
}

/// A file system on a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileSystem {
    Ext4,
    Xfs,
}

impl FileSystem {
    /// Returns the tools that sweeps of volumes of it need.
    pub(crate) fn tools(self) -> [&'static str; 5] {
        let maker = match self {
            Self::Ext4 => "mkfs.ext4",
            Self::Xfs => "mkfs.xfs",
        };
        [maker, "losetup", "sync", "xfs_io", "strace"]
    }

    fn make(self, image: &Path) {
        match self {
            // Without blocks that only root may use.
            Self::Ext4 => tool("mkfs.ext4", Path::new("/"), args!["-q", "-F", "-m", "0", image]),
            Self::Xfs => tool("mkfs.xfs", Path::new("/"), args!["-q", "-f", image]),
        };
    }

    /// Returns the options with which the kernel writes as little as possible unasked.
    fn options(self) -> &'static str {
        match self {
            Self::Ext4 => "loop,noauto_da_alloc,commit=300",
            Self::Xfs => "loop",
        }
    }
}

/// A file system in an image, of which everything that was not synced can be lost.
#[derive(Debug)]
pub(crate) struct Volume {
    image: PathBuf,
    file_system: FileSystem,
    mount: Mount,
}

impl Volume {
    /// Makes and mounts one in the lab; none where loop devices or the file system are not to be had.
    pub(crate) fn new(lab: &Lab, file_system: FileSystem) -> Option<Rc<Self>> {
        let image = lab.path("image");
        // The smallest that mkfs.xfs makes; sparse.
        fs::File::create(&image).unwrap().set_len(300 << 20).unwrap();
        file_system.make(&image);
        let at = lab.make_folder("volume");
        let mounted = Command::new("mount")
            .args(args!["-o", file_system.options(), &image, &at])
            .output()
            .expect("mount runs");
        if !mounted.status.success() {
            skip(&format!("no {file_system:?} volume: {}", Run::of(&mounted).stderr.trim()));
            return None;
        }
        Some(Rc::new(Self { image, file_system, mount: Mount(at) }))
    }

    /// Returns where it is mounted.
    pub(crate) fn path(&self) -> &Path {
        &self.mount.0
    }

    /// Makes everything written so far durable.
    pub(crate) fn sync(&self) {
        tool("sync", Path::new("/"), args!["--file-system", self.path()]);
    }

    /// Drops everything that was not synced, as a power failure does, and starts again.
    pub(crate) fn lose_power(&self) {
        tool("xfs_io", Path::new("/"), args!["-x", "-c", "shutdown", self.path()]);
        tool("umount", Path::new("/"), [self.path()]);
        mount(["-o".as_ref(), self.file_system.options().as_ref(), &self.image, self.path()]);
    }
}
