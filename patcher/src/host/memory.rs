//! A machine in memory that can be made to fail: what crash tests run on, and what a plan can be tried on.
//!
//! Every effect is cut into the steps that a system does one after the other (make a file, write half of it, the
//! rest, set its time, sync it ...). A [`Fault`] happens at a step, so that a file may be left half-written. What a
//! loss of power may then leave is told by the layers below.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, SystemTime};

mod layers;
mod registry;
mod services;

use layers::{Content, Layers, Node};
use registry::Values;
use services::MemoryService;

pub use services::Conduct;

use super::{Attributes, Files, ForeignLock, Host, HostError, HostErrorKind, Kind, Lock, Stat, Volume};

/// What happens at a chosen step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The process is killed: neither this step nor a later one happens.
    Kill,
    /// The step fails with this error and does not happen; later ones do.
    Fail(io::ErrorKind),
    /// This step and every later one that the same trouble would hit fail, until the fault is lifted: a full disk
    /// fails whatever needs space, any other trouble everything.
    FailOn(io::ErrorKind),
}

/// What a step needs of a disk.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    Space,
    Nothing,
}

/// Files, services, registry and COM servers of a machine in memory, names of files as they are spelled (case matters, as
/// on Linux).
///
/// The clock stands still at 2000-01-28 10:49 UTC, the time of the first file of the founding article.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    disk: Rc<RefCell<Layers>>,
    services: RefCell<BTreeMap<String, MemoryService>>,
    values: RefCell<Values>,
    com_servers: RefCell<BTreeSet<PathBuf>>,
    at_restart: RefCell<Vec<(PathBuf, PathBuf)>>,
    open: RefCell<Vec<PathBuf>>,
    loaded: RefCell<Vec<PathBuf>>,
    free: Cell<Option<u64>>,
    faults: RefCell<Vec<(usize, Fault)>>,
    steps: RefCell<Vec<String>>,
    dead: Rc<Cell<bool>>,
    locked: Rc<Cell<bool>>,
}

impl Memory {
    /// Makes an empty file system with nothing but the folder `root`, and those above it.
    pub fn new(root: &Path) -> Self {
        let memory = Self::default();
        memory.put_folder(root);
        memory
    }

    /// Puts a file there, durable, with the folders above it.
    pub fn put(&self, path: &Path, bytes: &[u8]) {
        if let Some(folder) = path.parent() {
            self.put_folder(folder);
        }
        let seen = Content { bytes: Rc::new(bytes.to_vec()), modified: clock() };
        let mut disk = self.disk.borrow_mut();
        // There is either none there yet, or one that takes the new contents.
        drop(disk.create(path, Node::File { seen: seen.clone(), durable: None }));
        drop(disk.write(path, |content| *content = seen));
        disk.settle();
    }

    /// Puts a folder there, durable, with those above it.
    pub fn put_folder(&self, path: &Path) {
        let mut disk = self.disk.borrow_mut();
        let folders: Vec<&Path> = path.ancestors().collect();
        for folder in folders.into_iter().rev() {
            // It may be there.
            drop(disk.create(folder, Node::Folder(layers::Names::default())));
        }
        disk.settle();
    }

    /// Has somebody open a file so that it cannot be replaced; none: nobody has any open.
    pub fn hold_open(&self, path: Option<&Path>) {
        self.open.replace(path.map(Path::to_owned).into_iter().collect());
    }

    /// Has a console load a file, which keeps nobody from replacing it; none: it is closed.
    pub fn load(&self, path: Option<&Path>) {
        self.loaded.replace(path.map(Path::to_owned).into_iter().collect());
    }

    /// Sets how much space the volume has left, by its own word.
    pub fn set_free(&self, bytes: u64) {
        self.free.set(Some(bytes));
    }

    /// Returns every file and folder, as seen: the bytes and time of each file.
    pub fn tree(&self) -> BTreeMap<PathBuf, Option<(Vec<u8>, SystemTime)>> {
        let mut tree = BTreeMap::new();
        self.collect(Path::new("/"), &mut tree);
        tree
    }

    fn collect(&self, folder: &Path, tree: &mut BTreeMap<PathBuf, Option<(Vec<u8>, SystemTime)>>) {
        let disk = self.disk.borrow();
        for name in disk.names(folder).unwrap_or_default() {
            let path = folder.join(name);
            match disk.at(&path) {
                Some(Node::File { seen, .. }) => {
                    tree.insert(path, Some((seen.bytes.to_vec(), seen.modified)));
                }
                Some(Node::Folder(_)) => {
                    self.collect(&path, tree);
                    tree.insert(path, None);
                }
                None => {}
            }
        }
    }

    /// Returns the machine as the next process finds it, with these faults: each at the step with its number, the
    /// first being 0. Locks are free, whoever held them.
    pub fn next_process(&self, faults: &[(usize, Fault)]) -> Self {
        Self {
            disk: Rc::new(RefCell::new(self.disk.borrow().clone())),
            services: self.services.clone(),
            values: self.values.clone(),
            com_servers: self.com_servers.clone(),
            at_restart: self.at_restart.clone(),
            open: self.open.clone(),
            loaded: self.loaded.clone(),
            free: self.free.clone(),
            faults: RefCell::new(faults.to_vec()),
            ..Self::default()
        }
    }

    /// Returns every machine that may be found after a loss of power: each state of the disk, with the services as
    /// they were (the patcher was on another machine), and as they are when the machine has started.
    pub fn after_power_loss(&self) -> Vec<Self> {
        let mut found = Vec::new();
        for disk in self.disk.borrow().power_losses() {
            let back = self.next_process(&[]);
            back.disk.replace(disk);
            let started = back.next_process(&[]);
            started.start_services();
            let is_other = *started.services.borrow() != *back.services.borrow();
            found.push(back);
            found.extend(is_other.then_some(started));
        }
        found
    }

    /// Tells whether something waits for a restart.
    pub fn awaits_restart(&self) -> bool {
        !self.at_restart.borrow().is_empty()
    }

    /// Returns the machine after a restart, which carries out the renames that wait for it.
    pub fn restarted(&self) -> Self {
        let after = self.next_process(&[]);
        for (from, to) in after.at_restart.take() {
            // One that was taken back is not there.
            drop(after.disk.borrow_mut().rename(&from, &to));
        }
        after.open.borrow_mut().clear();
        after.start_services();
        after.disk.borrow_mut().settle();
        after
    }

    /// Returns the steps so far in order, each as `verb path`.
    pub fn steps(&self) -> Vec<String> {
        self.steps.borrow().clone()
    }

    /// Returns a number that tells machines apart by all that the next process could ever find.
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.disk.borrow().fingerprint().hash(&mut hasher);
        (&*self.services.borrow(), &*self.at_restart.borrow()).hash(&mut hasher);
        (&*self.values.borrow(), &*self.com_servers.borrow()).hash(&mut hasher);
        hasher.finish()
    }

    /// Counts a step, which happens unless a fault says otherwise.
    fn step(&self, verb: &str, subject: &str, need: Need) -> io::Result<()> {
        if self.dead.get() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let number = self.steps.borrow().len();
        self.steps.borrow_mut().push(format!("{verb} {subject}"));
        for (at, fault) in self.faults.borrow().iter() {
            match fault {
                Fault::Kill if *at == number => {
                    self.dead.set(true);
                    return Err(io::ErrorKind::Interrupted.into());
                }
                Fault::Fail(kind) if *at == number => return Err((*kind).into()),
                Fault::FailOn(io::ErrorKind::StorageFull) if need == Need::Nothing => {}
                Fault::FailOn(kind) if *at <= number => return Err((*kind).into()),
                Fault::Kill | Fault::Fail(_) | Fault::FailOn(_) => {}
            }
        }
        Ok(())
    }

    fn path_step(&self, verb: &str, path: &Path, need: Need) -> io::Result<()> {
        self.step(verb, &path.to_string_lossy(), need)
    }

    /// Adds bytes to a file in two steps, half of them in each.
    fn add(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let (first, second) = bytes.split_at(bytes.len() / 2);
        for part in [first, second] {
            self.path_step("write", path, Need::Space)?;
            self.disk.borrow_mut().write(path, |content| Rc::make_mut(&mut content.bytes).extend(part))?;
        }
        Ok(())
    }

    fn create(&self, verb: &str, path: &Path, node: Node) -> io::Result<()> {
        self.path_step(verb, path, Need::Space)?;
        self.disk.borrow_mut().create(path, node)
    }

    /// Makes a new file empty.
    fn create_file(&self, path: &Path) -> io::Result<()> {
        self.create("create", path, Node::File { seen: empty(), durable: None })
    }

    fn create_file_if_missing(&self, path: &Path) -> io::Result<()> {
        if self.disk.borrow().at(path).is_some() { Ok(()) } else { self.create_file(path) }
    }

    fn sync(&self, verb: &str, path: &Path) -> io::Result<()> {
        self.path_step(verb, path, Need::Nothing)?;
        self.disk.borrow_mut().sync(path)
    }
}

fn clock() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(949_056_540)
}

fn empty() -> Content {
    Content { bytes: Rc::default(), modified: clock() }
}

impl Files for Memory {
    fn stat(&self, path: &Path) -> Result<Option<Stat>, HostError> {
        Ok(self.disk.borrow().at(path).map(|node| match node {
            Node::Folder(_) => Stat { kind: Kind::Folder, size: 0, modified: clock(), read_only: false },
            Node::File { seen, .. } => {
                let size = seen.bytes.len() as u64;
                Stat { kind: Kind::File, size, modified: seen.modified, read_only: false }
            }
        }))
    }

    fn list(&self, folder: &Path) -> Result<Vec<String>, HostError> {
        self.disk.borrow().names(folder).map_err(HostError::io("list", folder))
    }

    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, HostError> {
        match self.disk.borrow().at(path) {
            Some(Node::File { seen, .. }) if seen.bytes.len() as u64 > limit => {
                Err(HostErrorKind::TooLarge { path: path.to_owned(), limit }.into())
            }
            Some(Node::File { seen, .. }) => Ok(seen.bytes.to_vec()),
            Some(Node::Folder(_)) => Err(HostError::io("read", path)(io::ErrorKind::IsADirectory.into())),
            None => Err(HostError::io("open", path)(io::ErrorKind::NotFound.into())),
        }
    }

    fn volume(&self, _folder: &Path) -> Result<Volume, HostError> {
        Ok(Volume { id: Some(1), free: self.free.get() })
    }

    fn may_write(&self, _folder: &Path) -> Result<bool, HostError> {
        Ok(true)
    }

    fn in_use(&self, path: &Path) -> Result<Option<String>, HostError> {
        let open = self.open.borrow().iter().any(|open| open == path);
        Ok(open.then(|| "a program in memory".to_owned()))
    }

    fn users_of(&self, folder: &Path) -> Result<Vec<String>, HostError> {
        let loaded = self.loaded.borrow().iter().any(|path| path.starts_with(folder));
        Ok(loaded.then(|| "a console in memory".to_owned()).into_iter().collect())
    }

    fn now(&self) -> SystemTime {
        clock()
    }
}

impl Host for Memory {
    fn create_folder(&self, path: &Path) -> Result<(), HostError> {
        self.create("create-folder", path, Node::Folder(layers::Names::default()))
            .map_err(HostError::io("make the folder", path))
    }

    fn write_new(&self, path: &Path, bytes: &[u8], attributes: &Attributes) -> Result<(), HostError> {
        let write = || {
            self.create_file(path)?;
            self.add(path, bytes)?;
            if let Some(modified) = attributes.modified {
                self.path_step("set-time", path, Need::Nothing)?;
                self.disk.borrow_mut().write(path, |content| content.modified = modified)?;
            }
            self.sync("sync", path)
        };
        write().map_err(HostError::io("write", path))
    }

    fn append(&self, path: &Path, at: u64, bytes: &[u8]) -> Result<(), HostError> {
        let write = || {
            self.create_file_if_missing(path)?;
            self.path_step("cut", path, Need::Nothing)?;
            let at = usize::try_from(at).unwrap_or(usize::MAX);
            self.disk.borrow_mut().write(path, |content| Rc::make_mut(&mut content.bytes).truncate(at))?;
            self.add(path, bytes)?;
            self.sync("sync", path)
        };
        write().map_err(HostError::io("append to", path))
    }

    fn log(&self, path: &Path, line: &str) -> Result<(), HostError> {
        let write = || {
            self.create_file_if_missing(path)?;
            self.add(path, format!("{line}\n").as_bytes())?;
            // A log is never read: what a loss of power does to its contents would only multiply machines.
            self.disk.borrow_mut().sync(path)
        };
        write().map_err(HostError::io("write to the log", path))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), HostError> {
        let rename = || {
            self.path_step("rename", to, Need::Nothing)?;
            if self.open.borrow().iter().any(|open| open == to) {
                return Err(io::ErrorKind::ResourceBusy.into());
            }
            self.disk.borrow_mut().rename(from, to)
        };
        rename().map_err(HostError::io("replace", to))
    }

    fn rename_at_restart(&self, from: &Path, to: &Path) -> Result<(), HostError> {
        self.path_step("schedule", to, Need::Nothing).map_err(HostError::io("schedule", to))?;
        self.at_restart.borrow_mut().push((from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> Result<(), HostError> {
        let remove = || {
            self.path_step("remove", path, Need::Nothing)?;
            self.disk.borrow_mut().remove_file(path)
        };
        remove().map_err(HostError::io("remove", path))
    }

    fn remove_folder(&self, path: &Path) -> Result<(), HostError> {
        let remove = || {
            self.path_step("remove-folder", path, Need::Nothing)?;
            self.disk.borrow_mut().remove_folder(path)
        };
        remove().map_err(HostError::io("remove the folder", path))
    }

    fn sync_folder(&self, path: &Path) -> Result<(), HostError> {
        self.sync("sync-folder", path).map_err(HostError::io("sync the folder", path))
    }

    fn lock(&self, path: &Path, _foreign: ForeignLock) -> Result<Box<dyn Lock>, HostError> {
        self.path_step("lock", path, Need::Space).map_err(HostError::io("lock", path))?;
        if self.locked.replace(true) {
            let holder = "another run in memory".to_owned();
            return Err(HostErrorKind::Held { path: path.to_owned(), holder }.into());
        }
        let mut disk = self.disk.borrow_mut();
        // A killed run may have left it.
        drop(disk.create(path, Node::File { seen: empty(), durable: None }));
        Ok(Box::new(MemoryLock {
            path: path.to_owned(),
            disk: Rc::clone(&self.disk),
            dead: Rc::clone(&self.dead),
            locked: Rc::clone(&self.locked),
        }))
    }

    fn pause(&self, _time: Duration) {}
}

struct MemoryLock {
    path: PathBuf,
    disk: Rc<RefCell<Layers>>,
    dead: Rc<Cell<bool>>,
    locked: Rc<Cell<bool>>,
}

impl Lock for MemoryLock {}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        if !self.dead.get() {
            // Like a file that is left behind, one that is gone is no trouble.
            drop(self.disk.borrow_mut().remove_file(&self.path));
        }
        self.locked.set(false);
    }
}
