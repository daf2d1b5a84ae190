//! A host that fails or dies at a chosen effect, and remembers every effect: what crash tests run on.

use std::cell::{Cell, RefCell};
use std::io;
use std::path::Path;
use std::time::SystemTime;

use super::{Attributes, Files, Host, HostError, Lock, Stat};

/// What happens at the chosen effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The process is killed before the effect: neither it nor any later one happens.
    KillBefore,
    /// The process is killed after the effect: no later one happens.
    KillAfter,
    /// The effect fails with this error and does not happen; later ones do.
    Fail(io::ErrorKind),
}

/// A host that passes everything on to another, up to its fault.
#[derive(Debug)]
pub struct Faulty<'h, H> {
    inner: &'h H,
    fault: Option<(usize, Fault)>,
    effects: RefCell<Vec<String>>,
    dead: Cell<bool>,
}

impl<'h, H: Host> Faulty<'h, H> {
    /// Wraps `inner`; `fault` happens at the effect with that number, the first being 0.
    pub fn new(inner: &'h H, fault: Option<(usize, Fault)>) -> Self {
        Self { inner, fault, effects: RefCell::default(), dead: Cell::new(false) }
    }

    /// Returns the effects so far in order, each as `verb path`.
    pub fn effects(&self) -> Vec<String> {
        self.effects.borrow().clone()
    }

    fn effect<T>(
        &self,
        action: &'static str,
        path: &Path,
        act: impl FnOnce() -> Result<T, HostError>,
    ) -> Result<T, HostError> {
        let fail = |kind: io::ErrorKind| Err(HostError::io(action, path)(kind.into()));
        if self.dead.get() {
            return fail(io::ErrorKind::Interrupted);
        }
        let number = self.effects.borrow().len();
        self.effects.borrow_mut().push(format!("{action} {}", path.display()));
        match self.fault {
            Some((at, fault)) if at == number => match fault {
                Fault::KillBefore => {
                    self.dead.set(true);
                    fail(io::ErrorKind::Interrupted)
                }
                Fault::KillAfter => {
                    self.dead.set(true);
                    act().and_then(|_| fail(io::ErrorKind::Interrupted))
                }
                Fault::Fail(kind) => fail(kind),
            },
            _ => act(),
        }
    }
}

impl<H: Host> Files for Faulty<'_, H> {
    fn stat(&self, path: &Path) -> Result<Option<Stat>, HostError> {
        self.inner.stat(path)
    }

    fn list(&self, folder: &Path) -> Result<Vec<String>, HostError> {
        self.inner.list(folder)
    }

    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, HostError> {
        self.inner.read(path, limit)
    }

    fn now(&self) -> SystemTime {
        self.inner.now()
    }
}

impl<H: Host> Host for Faulty<'_, H> {
    fn create_folder(&self, path: &Path) -> Result<(), HostError> {
        self.effect("create-folder", path, || self.inner.create_folder(path))
    }

    fn write_new(&self, path: &Path, bytes: &[u8], attributes: &Attributes) -> Result<(), HostError> {
        self.effect("write-new", path, || self.inner.write_new(path, bytes, attributes))
    }

    fn append(&self, path: &Path, at: u64, bytes: &[u8]) -> Result<(), HostError> {
        self.effect("append", path, || self.inner.append(path, at, bytes))
    }

    fn log(&self, path: &Path, line: &str) -> Result<(), HostError> {
        self.effect("log", path, || self.inner.log(path, line))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), HostError> {
        self.effect("rename", to, || self.inner.rename(from, to))
    }

    fn remove_file(&self, path: &Path) -> Result<(), HostError> {
        self.effect("remove-file", path, || self.inner.remove_file(path))
    }

    fn remove_folder(&self, path: &Path) -> Result<(), HostError> {
        self.effect("remove-folder", path, || self.inner.remove_folder(path))
    }

    fn sync_folder(&self, path: &Path) -> Result<(), HostError> {
        self.effect("sync-folder", path, || self.inner.sync_folder(path))
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn Lock>, HostError> {
        self.effect("lock", path, || self.inner.lock(path))
    }
}
