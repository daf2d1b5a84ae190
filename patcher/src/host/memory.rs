//! A file system in memory: for tests, and for whoever wants to see what a run would do.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use super::{Attributes, Files, Host, HostError, Kind, Lock, Stat};

/// Files and folders in memory, names as they are spelled (case matters, as on Linux).
///
/// The clock stands still at 2000-01-28 10:49 UTC, the time of the first file of the founding article.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    nodes: RefCell<BTreeMap<PathBuf, Node>>,
    locked: Rc<Cell<bool>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    Folder,
    File { bytes: Vec<u8>, modified: SystemTime },
}

impl Memory {
    /// Makes an empty file system with nothing but the folder `root`, and those above it.
    pub fn new(root: &Path) -> Self {
        let memory = Self::default();
        let folders = root.ancestors().map(|folder| (folder.to_owned(), Node::Folder)).collect();
        memory.nodes.replace(folders);
        memory
    }

    /// Puts a file there, with the folders above it.
    pub fn put(&self, path: &Path, bytes: &[u8]) {
        if let Some(folder) = path.parent() {
            self.put_folder(folder);
        }
        let mut nodes = self.nodes.borrow_mut();
        nodes.insert(path.to_owned(), Node::File { bytes: bytes.to_vec(), modified: clock() });
    }

    /// Puts a folder there, with those above it.
    pub fn put_folder(&self, path: &Path) {
        let mut nodes = self.nodes.borrow_mut();
        for folder in path.ancestors() {
            nodes.insert(folder.to_owned(), Node::Folder);
        }
    }

    /// Returns every folder.
    pub fn folders(&self) -> Vec<PathBuf> {
        let nodes = self.nodes.borrow();
        nodes.iter().filter(|(_, node)| **node == Node::Folder).map(|(path, _)| path.clone()).collect()
    }

    /// Returns every file with its bytes, by path.
    pub fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let nodes = self.nodes.borrow();
        let file = |(path, node): (&PathBuf, &Node)| match node {
            Node::Folder => None,
            Node::File { bytes, .. } => Some((path.clone(), bytes.clone())),
        };
        nodes.iter().filter_map(file).collect()
    }

    /// Fails unless the folder above `path` exists.
    fn parent(&self, path: &Path) -> io::Result<()> {
        match path.parent().and_then(|parent| self.nodes.borrow().get(parent).cloned()) {
            Some(Node::Folder) => Ok(()),
            Some(Node::File { .. }) => Err(io::ErrorKind::NotADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn create(&self, path: &Path, node: Node) -> io::Result<()> {
        self.parent(path)?;
        let mut nodes = self.nodes.borrow_mut();
        if nodes.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        nodes.insert(path.to_owned(), node);
        Ok(())
    }

    /// Changes the bytes of a file, made empty if there is none.
    fn write(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        self.parent(path)?;
        let mut nodes = self.nodes.borrow_mut();
        let empty = || Node::File { bytes: Vec::new(), modified: clock() };
        match nodes.entry(path.to_owned()).or_insert_with(empty) {
            Node::File { bytes, .. } => change(bytes),
            Node::Folder => return Err(io::ErrorKind::IsADirectory.into()),
        }
        Ok(())
    }

    fn take(&self, path: &Path, wanted: Kind) -> io::Result<Node> {
        let mut nodes = self.nodes.borrow_mut();
        let empty = !nodes.keys().any(|other| other.parent() == Some(path));
        match (nodes.get(path), wanted) {
            (None, _) => Err(io::ErrorKind::NotFound.into()),
            (Some(Node::Folder), Kind::Folder) if !empty => Err(io::ErrorKind::DirectoryNotEmpty.into()),
            (Some(Node::Folder), Kind::File) => Err(io::ErrorKind::IsADirectory.into()),
            (Some(Node::File { .. }), Kind::Folder) => Err(io::ErrorKind::NotADirectory.into()),
            (Some(_), _) => nodes.remove(path).ok_or_else(|| io::ErrorKind::NotFound.into()),
        }
    }
}

fn clock() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(949_056_540)
}

impl Files for Memory {
    fn stat(&self, path: &Path) -> Result<Option<Stat>, HostError> {
        Ok(self.nodes.borrow().get(path).map(|node| match node {
            Node::Folder => Stat { kind: Kind::Folder, size: 0, modified: clock() },
            Node::File { bytes, modified } => {
                Stat { kind: Kind::File, size: bytes.len() as u64, modified: *modified }
            }
        }))
    }

    fn list(&self, folder: &Path) -> Result<Vec<String>, HostError> {
        let nodes = self.nodes.borrow();
        if nodes.get(folder) != Some(&Node::Folder) {
            return Err(HostError::io("list", folder)(io::ErrorKind::NotFound.into()));
        }
        let below = nodes.keys().filter(|path| path.parent() == Some(folder));
        Ok(below.filter_map(|path| path.file_name()?.to_str().map(str::to_owned)).collect())
    }

    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, HostError> {
        match self.nodes.borrow().get(path) {
            Some(Node::File { bytes, .. }) if bytes.len() as u64 > limit => {
                Err(HostError::TooLarge { path: path.to_owned(), limit })
            }
            Some(Node::File { bytes, .. }) => Ok(bytes.clone()),
            Some(Node::Folder) => Err(HostError::io("read", path)(io::ErrorKind::IsADirectory.into())),
            None => Err(HostError::io("open", path)(io::ErrorKind::NotFound.into())),
        }
    }

    fn now(&self) -> SystemTime {
        clock()
    }
}

impl Host for Memory {
    fn create_folder(&self, path: &Path) -> Result<(), HostError> {
        self.create(path, Node::Folder).map_err(HostError::io("make the folder", path))
    }

    fn write_new(&self, path: &Path, bytes: &[u8], attributes: &Attributes) -> Result<(), HostError> {
        let modified = attributes.modified.unwrap_or_else(clock);
        let file = Node::File { bytes: bytes.to_vec(), modified };
        self.create(path, file).map_err(HostError::io("write", path))
    }

    fn append(&self, path: &Path, at: u64, bytes: &[u8]) -> Result<(), HostError> {
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        let cut_and_add = |content: &mut Vec<u8>| {
            content.truncate(at);
            content.extend(bytes);
        };
        self.write(path, cut_and_add).map_err(HostError::io("append to", path))
    }

    fn log(&self, path: &Path, line: &str) -> Result<(), HostError> {
        let add = |content: &mut Vec<u8>| content.extend(format!("{line}\n").as_bytes());
        self.write(path, add).map_err(HostError::io("write to the log", path))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), HostError> {
        let rename = || {
            self.parent(to)?;
            if self.nodes.borrow().get(to) == Some(&Node::Folder) {
                return Err(io::ErrorKind::IsADirectory.into());
            }
            let node = self.take(from, Kind::File)?;
            self.nodes.borrow_mut().insert(to.to_owned(), node);
            Ok(())
        };
        rename().map_err(HostError::io("replace", to))
    }

    fn remove_file(&self, path: &Path) -> Result<(), HostError> {
        self.take(path, Kind::File).map(drop).map_err(HostError::io("remove", path))
    }

    fn remove_folder(&self, path: &Path) -> Result<(), HostError> {
        self.take(path, Kind::Folder).map(drop).map_err(HostError::io("remove the folder", path))
    }

    fn sync_folder(&self, path: &Path) -> Result<(), HostError> {
        match self.nodes.borrow().get(path) {
            Some(Node::Folder) => Ok(()),
            _ => Err(HostError::io("sync the folder", path)(io::ErrorKind::NotFound.into())),
        }
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn Lock>, HostError> {
        if self.locked.replace(true) {
            return Err(HostError::Held {
                path: path.to_owned(),
                holder: "another run in memory".to_owned(),
            });
        }
        Ok(Box::new(MemoryLock(Rc::clone(&self.locked))))
    }
}

struct MemoryLock(Rc<Cell<bool>>);

impl Lock for MemoryLock {}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        self.0.set(false);
    }
}
