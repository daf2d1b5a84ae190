//! What a disk holds: the layer that programs see, and the layer that survives a loss of power.
//!
//! The model is harsher than most file systems. Contents survive only if the file was synced, and are otherwise
//! lost, torn, zeroed or whole; a name survives only if its folder was synced, and of several changes of names that
//! were not, any may survive without the others, whatever their order, the two halves of a rename included.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Component, Path};
use std::rc::Rc;
use std::time::SystemTime;

/// The folder above all others.
const ROOT: Id = 0;
/// Up to so many unsynced changes of names every subset is tried; beyond, those that differ most.
const ALL_SUBSETS: usize = 4;

type Id = usize;

/// What a file holds.
#[derive(Clone, Debug, Hash, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) bytes: Rc<Vec<u8>>,
    pub(super) modified: SystemTime,
}

/// A file or folder.
#[derive(Clone, Debug)]
pub(super) enum Node {
    /// A file: as it is seen, and as it was last synced, if it ever was.
    File { seen: Content, durable: Option<Content> },
    /// A folder.
    Folder(Names),
}

/// The names in a folder.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    seen: BTreeMap<Rc<str>, Id>,
    durable: BTreeMap<Rc<str>, Id>,
    /// Changes since the last sync, in order.
    pending: Vec<Change>,
}

/// A name that was given to something, or taken away.
#[derive(Clone, Debug)]
struct Change {
    name: Rc<str>,
    to: Option<Id>,
}

/// What becomes of contents that were not synced.
#[derive(Clone, Copy, Debug)]
enum Tear {
    Lost,
    Half,
    Zeroed,
    Whole,
}

const TEARS: [Tear; 4] = [Tear::Lost, Tear::Half, Tear::Zeroed, Tear::Whole];

/// A disk.
#[derive(Clone, Debug)]
pub(super) struct Layers {
    nodes: Vec<Node>,
}

impl Default for Layers {
    fn default() -> Self {
        Self { nodes: vec![Node::Folder(Names::default())] }
    }
}

impl Layers {
    /// Returns what is seen at a path.
    pub(super) fn at(&self, path: &Path) -> Option<&Node> {
        self.nodes.get(self.find(path)?)
    }

    /// Returns the names in a folder, sorted.
    pub(super) fn names(&self, folder: &Path) -> io::Result<Vec<String>> {
        match self.at(folder) {
            Some(Node::Folder(names)) => Ok(names.seen.keys().map(|name| name.as_ref().to_owned()).collect()),
            Some(Node::File { .. }) => Err(io::ErrorKind::NotADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Adds an empty file or folder at a free name.
    pub(super) fn create(&mut self, path: &Path, node: Node) -> io::Result<()> {
        if self.find(path).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let id = self.nodes.len();
        self.names_above(path)?;
        self.nodes.push(node);
        self.change(path, Some(id))
    }

    /// Changes what is seen of a file.
    pub(super) fn write(&mut self, path: &Path, change: impl FnOnce(&mut Content)) -> io::Result<()> {
        match self.find(path).and_then(|id| self.nodes.get_mut(id)) {
            Some(Node::File { seen, .. }) => change(seen),
            Some(Node::Folder(_)) => return Err(io::ErrorKind::IsADirectory.into()),
            None => return Err(io::ErrorKind::NotFound.into()),
        }
        Ok(())
    }

    /// Makes the contents of a file, or the names in a folder, durable.
    pub(super) fn sync(&mut self, path: &Path) -> io::Result<()> {
        match self.find(path).and_then(|id| self.nodes.get_mut(id)) {
            Some(Node::File { seen, durable }) => *durable = Some(seen.clone()),
            Some(Node::Folder(names)) => {
                names.pending.clear();
                names.durable = names.seen.clone();
            }
            None => return Err(io::ErrorKind::NotFound.into()),
        }
        Ok(())
    }

    /// Renames a file, over another one if there is one.
    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let id = self.find(from).ok_or(io::ErrorKind::NotFound)?;
        if matches!(self.at(to), Some(Node::Folder(_))) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        self.change(to, Some(id))?;
        self.change(from, None)
    }

    /// Removes a file.
    pub(super) fn remove_file(&mut self, path: &Path) -> io::Result<()> {
        match self.at(path) {
            Some(Node::File { .. }) => self.change(path, None),
            Some(Node::Folder(_)) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Removes an empty folder.
    pub(super) fn remove_folder(&mut self, path: &Path) -> io::Result<()> {
        match self.names(path)?.is_empty() {
            true => self.change(path, None),
            false => Err(io::ErrorKind::DirectoryNotEmpty.into()),
        }
    }

    /// Makes everything durable.
    pub(super) fn settle(&mut self) {
        for node in &mut self.nodes {
            match node {
                Node::File { seen, durable } => *durable = Some(seen.clone()),
                Node::Folder(names) => {
                    names.pending.clear();
                    names.durable = names.seen.clone();
                }
            }
        }
    }

    /// Returns every disk that a loss of power may leave, each once.
    pub(super) fn power_losses(&self) -> Vec<Self> {
        let mut pending: Vec<(Id, usize)> = Vec::new();
        let mut is_torn = false;
        for (id, node) in self.nodes.iter().enumerate() {
            match node {
                Node::Folder(names) => pending.extend((0..names.pending.len()).map(|number| (id, number))),
                Node::File { seen, durable } => is_torn |= durable.as_ref() != Some(seen),
            }
        }
        let tears = if is_torn { TEARS.as_slice() } else { &[Tear::Whole] };
        let mut losses = Vec::new();
        let mut known = BTreeSet::new();
        for kept in subsets(pending.len()) {
            let kept: BTreeSet<(Id, usize)> =
                pending.iter().zip(kept).filter(|(_, kept)| *kept).map(|(change, _)| *change).collect();
            for tear in tears {
                let lost = self.after_loss(&kept, *tear);
                if known.insert(lost.fingerprint()) {
                    losses.push(lost);
                }
            }
        }
        losses
    }

    fn after_loss(&self, kept: &BTreeSet<(Id, usize)>, tear: Tear) -> Self {
        let survive = |(id, node): (Id, &Node)| match node {
            Node::File { seen, durable } => {
                let content = torn(seen, durable.as_ref(), tear);
                Node::File { seen: content.clone(), durable: Some(content) }
            }
            Node::Folder(names) => {
                let mut durable = names.durable.clone();
                for (number, change) in names.pending.iter().enumerate() {
                    if kept.contains(&(id, number)) {
                        change.apply(&mut durable);
                    }
                }
                Node::Folder(Names { seen: durable.clone(), durable, pending: Vec::new() })
            }
        };
        Self { nodes: self.nodes.iter().enumerate().map(survive).collect() }
    }

    /// Returns a number that tells disks apart by all that matters of them.
    pub(super) fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash_node(ROOT, &mut hasher);
        hasher.finish()
    }

    fn hash_node(&self, id: Id, hasher: &mut DefaultHasher) {
        match self.nodes.get(id) {
            Some(Node::File { seen, durable }) => (seen, durable).hash(hasher),
            Some(Node::Folder(names)) => {
                let layers = [&names.seen, &names.durable];
                for (layer, entries) in
                    layers.into_iter().enumerate().take(1 + usize::from(!names.pending.is_empty()))
                {
                    (layer, entries.len()).hash(hasher);
                    for (name, id) in entries {
                        name.hash(hasher);
                        self.hash_node(*id, hasher);
                    }
                }
                for Change { name, to } in &names.pending {
                    (name, to.is_some()).hash(hasher);
                    if let Some(to) = to {
                        self.hash_node(*to, hasher);
                    }
                }
            }
            None => {}
        }
    }

    fn find(&self, path: &Path) -> Option<Id> {
        let mut id = ROOT;
        for component in path.components() {
            if let Component::Normal(name) = component {
                match self.nodes.get(id) {
                    Some(Node::Folder(names)) => id = *names.seen.get(name.to_str()?)?,
                    _ => return None,
                }
            }
        }
        Some(id)
    }

    fn names_above(&mut self, path: &Path) -> io::Result<&mut Names> {
        let above = path.parent().and_then(|parent| self.find(parent)).ok_or(io::ErrorKind::NotFound)?;
        match self.nodes.get_mut(above) {
            Some(Node::Folder(names)) => Ok(names),
            _ => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    fn change(&mut self, path: &Path, to: Option<Id>) -> io::Result<()> {
        let name = path.file_name().and_then(|name| name.to_str()).ok_or(io::ErrorKind::InvalidInput)?;
        let change = Change { name: name.into(), to };
        let names = self.names_above(path)?;
        change.apply(&mut names.seen);
        names.pending.push(change);
        Ok(())
    }
}

impl Change {
    fn apply(&self, names: &mut BTreeMap<Rc<str>, Id>) {
        match self.to {
            Some(id) => names.insert(Rc::clone(&self.name), id),
            None => names.remove(&self.name),
        };
    }
}

/// Returns what a loss of power leaves of contents.
fn torn(seen: &Content, durable: Option<&Content>, tear: Tear) -> Content {
    let empty = Content { bytes: Rc::default(), modified: seen.modified };
    let durable = durable.unwrap_or(&empty);
    if durable == seen {
        return seen.clone();
    }
    let common = seen.bytes.iter().zip(durable.bytes.iter()).take_while(|(a, b)| a == b).count();
    let (prefix, rest) = seen.bytes.split_at(common);
    let bytes = match tear {
        Tear::Lost => return durable.clone(),
        Tear::Whole => return seen.clone(),
        Tear::Half => [prefix, rest.split_at(rest.len() / 2).0].concat(),
        Tear::Zeroed => [prefix, &vec![0; rest.len()]].concat(),
    };
    Content { bytes: Rc::new(bytes), modified: seen.modified }
}

/// Returns which of `count` things are kept: every subset of a few; of many, those near none, all and each cut.
fn subsets(count: usize) -> Vec<Vec<bool>> {
    if count <= ALL_SUBSETS {
        return (0..1_usize << count)
            .map(|bits| (0..count).map(|number| bits >> number & 1 == 1).collect())
            .collect();
    }
    let kept = |keep: &dyn Fn(usize) -> bool| (0..count).map(keep).collect::<Vec<bool>>();
    let mut sets = vec![kept(&|_| false), kept(&|_| true)];
    for chosen in 0..count {
        sets.extend([kept(&|n| n == chosen), kept(&|n| n != chosen), kept(&|n| n < chosen)]);
    }
    sets
}
