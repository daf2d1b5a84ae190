//! A network share as field admins meet it: a private Samba server, and machines that mount its share through FUSE.
//!
//! All of it is in network, process and mount namespaces of its own (`share.sh`), so that nothing of the host is
//! touched and tests that run at once do not meet. It ends with the process that made it, however that one ends.

use std::cell::RefCell;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::args;
use crate::programs::{Run, has_tool, program};

mod remote;

pub use remote::User;

const TOOLS: [&str; 7] = ["unshare", "nsenter", "ip", "smbd", "smbpasswd", "smbclient", "smbnetfs"];
/// The system's own: Samba's modules are made for no other.
const PYTHON: &str = "/usr/bin/python3";

/// How long a run of the patcher may take, whatever happens to the server; after that it counts as hanging.
///
/// A mount gives up a request after some seconds, and a run ends soon after its first failure.
const LIMIT: Duration = Duration::from_secs(60);
const STEP: Duration = Duration::from_millis(1);

/// A server with one share, and the room for machines that mount it.
#[derive(Debug)]
pub struct Share {
    folder: TempDir,
    namespaces: Child,
    commands: RefCell<Option<ChildStdin>>,
    answers: RefCell<BufReader<ChildStdout>>,
}

impl Share {
    /// Starts a server with an empty, writable share; none where this machine cannot run one.
    pub fn start() -> Option<Self> {
        Self::start_with("no", 0, "no")
    }

    /// Starts a server whose share can only be read.
    pub fn start_read_only() -> Option<Self> {
        Self::start_with("yes", 0, "no")
    }

    /// Starts a server whose disk has room for this many bytes.
    pub fn start_small(bytes: usize) -> Option<Self> {
        Self::start_with("no", bytes, "no")
    }

    fn start_with(read_only: &str, bytes: usize, services: &str) -> Option<Self> {
        if !is_possible() {
            return None;
        }
        let folder = TempDir::new().expect("a temporary folder can be made");
        let script = folder.path().join("share.sh");
        fs::write(&script, include_str!("share.sh")).expect("a file can be written");
        fs::write(folder.path().join("svcctl.c"), include_str!("svcctl.c")).expect("a file can be written");
        let mut namespaces = Command::new("unshare")
            .args(["--net", "--mount", "--pid", "--fork", "--kill-child", "bash"])
            .args(args![script, folder.path(), "server", read_only, bytes.to_string(), services])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare runs");
        let commands = RefCell::new(namespaces.stdin.take());
        let answers = namespaces.stdout.take().map(BufReader::new).expect("it is piped");
        let share = Self { folder, namespaces, commands, answers: RefCell::new(answers) };
        share.hear("done");
        Some(share)
    }

    /// Returns the path of the shared folder on the server's own disk.
    pub fn disk(&self) -> PathBuf {
        seen_by(self.number("number"), &self.path("disk"))
    }

    /// Starts a machine of this name, which mounts the share.
    pub fn machine(&self, name: &str) -> Machine<'_> {
        self.command(&format!("machine {name}"));
        Machine { share: self, first: self.number(&format!("machines/{name}/number")) }
    }

    /// Kills every process of the server at once; its disk stays.
    pub fn kill_server(&self) {
        send(self.number("server/number"), Signal::SIGKILL);
        self.command("bury");
    }

    /// Starts a killed server again.
    pub fn restart_server(&self) {
        self.command("serve");
    }

    /// Makes the server hang, with every connection to it.
    pub fn freeze_server(&self) {
        self.signal_server(Signal::SIGSTOP);
    }

    /// Lets a hanging server go on, with every request that it has got meanwhile.
    pub fn thaw_server(&self) {
        self.signal_server(Signal::SIGCONT);
    }

    fn signal_server(&self, signal: Signal) {
        let first = self.number("server/number");
        send(first, signal);
        children(first).into_iter().for_each(|child| send(child, signal));
    }

    /// Counts the requests that the server gets from now on.
    pub fn requests(&self) -> Requests {
        let log = File::open(self.path("server/log/log.smbd")).expect("the server has a log");
        let mut requests = Requests { log, count: 0 };
        requests.count();
        requests.count = 0;
        requests
    }

    /// Opens a file for reading, as a client that lets others do with it what they like, also delete it.
    ///
    /// None where Samba's modules for Python are missing.
    pub fn hold(&self, path: &str) -> Option<Held> {
        if !has_python() {
            return None;
        }
        let mut client = enter(self.number("number"), &["--net", "--mount", "--pid"], PYTHON)
            .args(args!["-c", include_str!("hold.py"), self.folder.path(), path])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("nsenter runs");
        let mut line = String::new();
        let mut output = client.stdout.take().map(BufReader::new).expect("it is piped");
        output.read_line(&mut line).expect("its output can be read");
        assert_eq!(line, "held\n", "{path}");
        Some(Held { client })
    }

    /// Gives a file the attribute of DOS that it can only be read.
    #[track_caller]
    pub fn set_read_only(&self, path: &str) {
        let mut client = enter(self.number("number"), &["--net", "--mount", "--pid"], "smbclient");
        client.arg(format!("--configfile={}", self.path("server/smb.conf").display()));
        client.args(["--user=root%secret", "//127.0.0.1/sms", "--command"]).arg(format!("setmode {path} +r"));
        let run = Run::of(&client.stdin(Stdio::null()).output().expect("nsenter runs"));
        assert!(run.status == 0 && run.stdout.is_empty(), "{run:?}");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns the process number that a process has told in a file.
    #[track_caller]
    fn number(&self, file: &str) -> u32 {
        let text = fs::read_to_string(self.path(file));
        text.ok()
            .and_then(|text| text.trim().parse().ok())
            .unwrap_or_else(|| panic!("{file}: {}", self.log()))
    }

    #[track_caller]
    fn command(&self, command: &str) {
        if let Some(commands) = self.commands.borrow_mut().as_mut() {
            writeln!(commands, "{command}")
                .unwrap_or_else(|error| panic!("{command}: {error}\n{}", self.log()));
        }
        self.hear(command);
    }

    #[track_caller]
    fn hear(&self, command: &str) {
        let mut line = String::new();
        self.answers.borrow_mut().read_line(&mut line).expect("its output can be read");
        assert_eq!(line, "done\n", "{command}: {}", self.log());
    }

    /// Returns what the script's commands said.
    fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_else(|error| error.to_string())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        // The end of its input ends the first process; before that one is gone the kernel ends every other.
        drop(self.commands.borrow_mut().take());
        end_in_time(&mut self.namespaces);
    }
}

/// A machine that has mounted the share: its own name, machine number, processes and mounts.
#[derive(Clone, Copy, Debug)]
pub struct Machine<'a> {
    share: &'a Share,
    first: u32,
}

impl<'a> Machine<'a> {
    /// Returns the path of the mounted share for programs on this machine.
    pub fn mount(&self) -> PathBuf {
        self.share.path("mnt/127.0.0.1/sms")
    }

    /// Returns the path of the mounted share for this process.
    pub fn seen(&self) -> PathBuf {
        seen_by(self.first, &self.mount())
    }

    /// Starts the patcher on this machine.
    pub fn start<I: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = I>) -> Running {
        // The shell is outside of the machine's processes, what it starts is one of them. (nsenter's own fork stops
        // together with a child that is stopped.)
        let shell = enter(self.first, &["--net", "--uts", "--mount", "--pid", "--no-fork"], "sh")
            .args(args!["-c", "\"$0\" \"$@\"; exit $?", program("qfe-patcher")])
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("nsenter runs");
        Running { shell: Some(shell), began: Instant::now() }
    }

    /// Runs the patcher on this machine.
    #[track_caller]
    pub fn patcher<I: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = I>) -> Run {
        self.start(args).end()
    }

    /// Returns the arguments of a command that takes nothing but the target.
    pub fn args(&self, command: &str) -> Vec<OsString> {
        args![command, "--target", self.mount(), "--json"].to_vec()
    }

    /// Runs a command of the patcher that takes nothing but the target.
    #[track_caller]
    pub fn run(&self, command: &str) -> Run {
        self.patcher(self.args(command))
    }
}

/// A run of the patcher that may still go on; it is killed when this is dropped.
#[derive(Debug)]
pub struct Running {
    shell: Option<Child>,
    began: Instant,
}

impl Running {
    /// Waits until something has happened; tells whether it did before the run ended.
    #[track_caller]
    pub fn goes_on_until(&mut self, mut happened: impl FnMut() -> bool) -> bool {
        while !happened() {
            if self.has_ended() {
                return false;
            }
            sleep(STEP);
        }
        true
    }

    /// Stops the patcher where it is.
    pub fn freeze(&self) {
        self.send(Signal::SIGSTOP);
    }

    /// Lets a stopped patcher go on.
    pub fn thaw(&self) {
        self.send(Signal::SIGCONT);
    }

    /// Kills the patcher.
    pub fn kill(&self) {
        self.send(Signal::SIGKILL);
    }

    fn send(&self, signal: Signal) {
        if let Some(shell) = &self.shell {
            children(shell.id()).into_iter().for_each(|child| send(child, signal));
        }
    }

    /// Waits for the end, which must come in time.
    #[track_caller]
    pub fn end(mut self) -> Run {
        while !self.has_ended() {
            sleep(STEP);
        }
        let shell = self.shell.take().expect("it is taken only here");
        Run::of(&shell.wait_with_output().expect("its output can be read"))
    }

    #[track_caller]
    fn has_ended(&mut self) -> bool {
        let shell = self.shell.as_mut().expect("it is taken only at its end");
        let ended = shell.try_wait().expect("a child can be waited for").is_some();
        assert!(ended || self.began.elapsed() < LIMIT, "the patcher has not ended for {LIMIT:?}");
        ended
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
        if let Some(shell) = self.shell.as_mut() {
            end_in_time(shell);
        }
    }
}

/// A file that another client holds open until this is dropped.
#[derive(Debug)]
pub struct Held {
    client: Child,
}

impl Drop for Held {
    fn drop(&mut self) {
        drop(self.client.stdin.take());
        end_in_time(&mut self.client);
    }
}

/// A count of requests to the server, by its own log.
#[derive(Debug)]
pub struct Requests {
    log: File,
    count: usize,
}

impl Requests {
    /// Returns how many there were since counting began.
    pub fn count(&mut self) -> usize {
        let mut bytes = Vec::new();
        self.log.read_to_end(&mut bytes).expect("the server's log can be read");
        self.count += String::from_utf8_lossy(&bytes).matches("request_dispatch: opcode[").count();
        self.count
    }
}

/// Waits until something is so, at most this long; tells whether it is.
pub fn until(limit: Duration, mut is_so: impl FnMut() -> bool) -> bool {
    let began = Instant::now();
    while !is_so() {
        if began.elapsed() > limit {
            return false;
        }
        sleep(STEP);
    }
    true
}

/// Waits for the end of a process, and kills it if that does not come.
fn end_in_time(child: &mut Child) {
    if !until(Duration::from_secs(10), || !matches!(child.try_wait(), Ok(None))) {
        // It is gone already, or nothing can be done about it.
        drop(child.kill());
        drop(child.wait());
    }
}

/// Makes the command that runs a program in the namespaces of a process.
fn enter(process: u32, namespaces: &[&str], program: &str) -> Command {
    let mut command = Command::new("nsenter");
    command.arg("--target").arg(process.to_string()).args(namespaces).args(["--", program]);
    command
}

/// Returns the path by which this process sees what another has at `path`.
fn seen_by(process: u32, path: &Path) -> PathBuf {
    let path = path.strip_prefix("/").expect("temporary folders have absolute paths");
    Path::new("/proc").join(process.to_string()).join("root").join(path)
}

/// Returns the processes that a process has started.
fn children(process: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    children.split_whitespace().filter_map(|number| number.parse().ok()).collect()
}

/// Sends a signal to a process, which may be gone.
fn send(process: u32, signal: Signal) {
    let process = Pid::from_raw(process.try_into().expect("process numbers are small"));
    if let Err(error) = signal::kill(process, signal) {
        assert_eq!(error, Errno::ESRCH, "{signal} to process {process}");
    }
}

/// Tells whether this machine can run a share; says why not, as for a tool that is missing.
fn is_possible() -> bool {
    if !TOOLS.iter().all(|tool| has_tool(tool)) {
        return false;
    }
    let refusal = if fs::metadata("/proc/self").is_ok_and(|own| own.uid() != 0) {
        "a share needs root"
    } else if !Path::new("/dev/fuse").exists() {
        "there is no /dev/fuse"
    } else if !succeeds(
        Command::new("unshare").args(["--net", "--mount", "--uts", "--pid", "--fork", "true"]),
    ) {
        "namespaces cannot be made"
    } else {
        return true;
    };
    skip(refusal);
    false
}

fn has_python() -> bool {
    let found = succeeds(Command::new(PYTHON).args(["-c", "import samba.samba3"]).stderr(Stdio::null()));
    if !found {
        skip("python3-samba is not installed");
    }
    found
}

fn succeeds(command: &mut Command) -> bool {
    command.status().is_ok_and(|status| status.success())
}

/// Says why a test is skipped; in CI nothing is.
fn skip(reason: &str) {
    assert!(std::env::var_os("CI").is_none(), "{reason}, and CI needs it");
    eprintln!("skipped: {reason}");
}
