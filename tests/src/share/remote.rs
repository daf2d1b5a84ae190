//! What the server lets others do besides its share: its services and its registry, over the network.
//!
//! Its services are stand-ins (`svcctl.c`), small files say what they do; its registry, its users and what goes over
//! the network are Samba's.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};

use super::{Share, has_tool};

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum User {
    /// May do everything.
    Admin,
    /// May look.
    Plain,
    /// The admin with another's password.
    Impostor,
}

impl User {
    /// Returns the password.
    pub fn password(self) -> &'static str {
        match self {
            Self::Admin => "secret",
            Self::Plain => "plain",
            Self::Impostor => "mistaken",
        }
    }
}

impl Share {
    /// Starts a server with services and a registry; none where this machine cannot run one.
    pub fn start_with_services() -> Option<Self> {
        if !["net", "gcc"].into_iter().all(has_tool) {
            return None;
        }
        Self::start_with("no", 0, "yes")
    }

    /// Writes a file of credentials; returns its path.
    pub fn credentials(&self, user: User) -> PathBuf {
        let name = match user {
            User::Admin | User::Impostor => "root",
            User::Plain => "daemon",
        };
        let text = format!("username = {name}\npassword = {}\ndomain = SITE\n", user.password());
        let path = self.path(&format!("credentials-{user:?}"));
        fs::write(&path, text).expect("a file can be written");
        path
    }

    /// Tells a service how to take what it is asked: `prompt`, `refuses`, `hangs` or `denied`.
    pub fn set_conduct(&self, service: &str, conduct: &str) {
        self.write(service, "conduct", conduct);
    }

    /// Says what a service needs to run, with slashes between the names.
    pub fn set_needs(&self, service: &str, needs: &str) {
        self.write(service, "needs", needs);
    }

    /// Brings a service into a state: `stopped`, `starting`, `stopping` or `running`.
    pub fn set_state(&self, service: &str, state: &str) {
        self.write(service, "state", state);
    }

    /// Returns the state of a service, as it knows it itself.
    pub fn state(&self, service: &str) -> String {
        let state = fs::read_to_string(self.service(service).join("state"));
        state.expect("a service has a state").trim().to_owned()
    }

    fn write(&self, service: &str, file: &str, text: &str) {
        fs::write(self.service(service).join(file), text).expect("a file can be written");
    }

    fn service(&self, name: &str) -> PathBuf {
        self.path("services").join(name)
    }

    /// Starts work in a thread that has the server in its network.
    pub fn start_inside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        let namespaces = Path::new("/proc").join(self.number("number").to_string()).join("ns");
        let proc = self.path("proc");
        thread::spawn(move || {
            // Both are opened first: what is in `/proc` depends on the mounts.
            let files = ["net", "mnt"].map(|name| File::open(namespaces.join(name)).expect("it runs"));
            // Only a thread that shares its current folder with no other can enter other mounts.
            unshare(CloneFlags::CLONE_FS).expect("it is root's");
            for file in files {
                setns(file, CloneFlags::empty()).expect("it is root's");
            }
            // Its processes are not the server's, and they look for themselves in `/proc`.
            unshare(CloneFlags::CLONE_NEWNS).expect("it is root's");
            let none = None::<&str>;
            mount(Some(&proc), "/proc", none, MsFlags::MS_BIND, none).expect("it is root's");
            work()
        })
    }

    /// Does work in a thread that has the server in its network.
    #[track_caller]
    pub fn inside<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        self.start_inside(work).join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// Tells whether a client has a connection to the server, whose own side of it may still wait to be taken up.
    pub fn has_connection(&self) -> bool {
        const PORT: &str = ":01BD";
        const ESTABLISHED: &str = "01";
        let table = fs::read_to_string(format!("/proc/{}/net/tcp", self.number("number")));
        table.unwrap_or_default().lines().any(|line| {
            let mut words = line.split_whitespace().skip(2);
            words.next().is_some_and(|remote| remote.ends_with(PORT)) && words.next() == Some(ESTABLISHED)
        })
    }

    /// Returns the arguments and the environment of every call of `net`.
    pub fn calls(&self) -> String {
        fs::read_to_string(self.path("client/calls")).unwrap_or_default()
    }
}
