//! Windows, as far as Wine is it: machines for one test each, on which the programs as they are given away run.
//!
//! A machine has the state of a fresh one: its registry, services and disk `C:` are its own, so that tests that run at
//! once do not meet and each may restart its own. The programs and the toolchain are those of `patcher/windows/`.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Mutex;

use tempfile::TempDir;

use crate::args;
use crate::programs::{Run, has_tool, workspace};
use crate::samples::{apply_args, workshop};

mod registry;
mod services;

pub use services::Services;

const WINESERVER: &str = "/usr/lib/wine/wineserver64";
/// Of programs with 32 bits: those can load a library for i386.
const COMPILER: &str = "i686-w64-mingw32-gcc";
/// The program that holds files.
const HOLDER: &str = "hold.exe";

/// A processor whose programs are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bits {
    /// i686: what ships, for every Intel machine.
    B32,
    /// x86_64.
    B64,
}

impl Bits {
    /// Both.
    pub const ALL: [Self; 2] = [Self::B32, Self::B64];

    /// Returns the other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::B32 => Self::B64,
            Self::B64 => Self::B32,
        }
    }

    fn target(self) -> &'static str {
        match self {
            Self::B32 => "i686-pc-windows-gnu",
            Self::B64 => "x86_64-pc-windows-gnu",
        }
    }
}

/// A machine with Windows.
#[derive(Debug)]
pub struct Machine {
    folder: TempDir,
    bits: Bits,
    /// A program that does nothing: without any Wine ends what belongs to the system, services among it.
    awake: Mutex<Option<Held>>,
    /// Ends Wine and removes its folder once its input ends, however this process ends.
    keeper: Option<Child>,
}

impl Machine {
    /// Starts a machine for programs of these bits; none, and it says so, where the programs were not built.
    ///
    /// In CI, which builds them, that fails the test.
    pub fn start(bits: Bits) -> Option<Self> {
        let needed = [home().join("bin/wine-run"), program(bits, "qfe-patcher")];
        if let Some(missing) = needed.iter().find(|path| !path.is_file()) {
            assert!(env::var_os("CI").is_none(), "{} is missing, and CI needs it", missing.display());
            eprintln!("skipped: {} is missing; patcher/windows/build.sh makes it", missing.display());
            return None;
        }
        if !has_tool(COMPILER) {
            return None;
        }
        let folder = TempDir::new().expect("a temporary folder can be made");
        let prefix = folder.path().join("prefix");
        let copied = Command::new(workspace().join("patcher/windows/prefix.sh")).arg(&prefix).status();
        assert!(copied.is_ok_and(|status| status.success()), "a Wine prefix cannot be copied");
        let keeper = Command::new("sh")
            .args(["-c", "trap '' INT TERM HUP; read -r _; \"$0\" -k; \"$0\" -w; rm -rf -- \"$1\""])
            .args(args![WINESERVER, folder.path()])
            .env("WINEPREFIX", &prefix)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell can be started");
        let machine = Self { folder, bits, awake: Mutex::new(None), keeper: Some(keeper) };
        machine.boot();
        Some(machine)
    }

    /// Returns the bits of its programs.
    pub fn bits(&self) -> Bits {
        self.bits
    }

    /// Returns where this process sees a file of the disk `C:`, which is named by its path with slashes.
    pub fn disk(&self, path: &str) -> PathBuf {
        self.prefix().join("drive_c").join(path)
    }

    /// Returns the path, on the machine, of a file of this process.
    pub fn path(path: &Path) -> OsString {
        let mut name = OsString::from("Z:");
        name.push(path.to_str().expect("paths of tests are text").replace('/', "\\"));
        name
    }

    /// Starts the patcher.
    pub fn start_patcher<I: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = I>) -> Program {
        Program::start(self.wine(program(self.bits, "qfe-patcher")).args(args))
    }

    /// Runs the patcher.
    pub fn patcher<I: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = I>) -> Run {
        self.start_patcher(args).end()
    }

    /// Runs a command of the patcher that takes nothing but the target.
    pub fn run(&self, command: &str, target: &str) -> Run {
        self.patcher(args![command, "--target", target, "--json"])
    }

    /// Runs the builder.
    pub fn builder<I: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = I>) -> Run {
        self.program(program(self.bits, "qfe-builder"), args)
    }

    /// Runs a program: of Windows by its name, of this process by its path.
    pub fn program<I: AsRef<OsStr>>(
        &self,
        program: impl AsRef<OsStr>,
        args: impl IntoIterator<Item = I>,
    ) -> Run {
        Program::start(self.wine(program).args(args)).end()
    }

    /// Restarts the machine: programs end, and what was ordered for the restart is done.
    pub fn restart(&self) {
        for word in ["-k", "-w"] {
            quiet(&mut self.wineserver(word));
        }
        self.boot();
    }

    fn boot(&self) {
        // Wine's server would end with the last program, and take seconds to start for the next.
        quiet(&mut self.wineserver("-p"));
        // The first program has the machine initialised, and waits for it. Were that done by name there would be two that
        // control services.
        quiet(self.wine("cmd").args(["/c", "exit"]));
        *self.awake.lock().expect("no test fails in there") = Some(self.hold(HOLDER, "nothing", "-"));
    }

    /// Has a program of the machine open a file, which others may read.
    pub fn open(&self, path: &str) -> Held {
        self.hold(HOLDER, "open", path)
    }

    /// Has a program of the machine load a file as a library.
    pub fn load(&self, path: &str) -> Held {
        self.load_into(HOLDER, path)
    }

    /// Has a program of this name load a file as a library.
    pub fn load_into(&self, program: &str, path: &str) -> Held {
        self.hold(program, "load", path)
    }

    #[track_caller]
    fn hold(&self, program: &str, how: &str, path: &str) -> Held {
        let copy = self.folder.path().join(program);
        if !copy.exists() {
            fs::copy(compiled(HOLDER, include_str!("wine/hold.c"), &[]), &copy)
                .expect("a file can be copied");
        }
        let mut holder = self
            .wine(&copy)
            .args([how, path])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Wine runs");
        let mut line = String::new();
        let mut output = holder.stdout.take().map(BufReader::new).expect("it is piped");
        output.read_line(&mut line).expect("its output can be read");
        assert_eq!(line.trim_end(), "held", "{path}");
        Held { holder }
    }

    fn prefix(&self) -> PathBuf {
        self.folder.path().join("prefix")
    }

    fn wine(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(home().join("bin/wine-run"));
        let program = Path::new(program.as_ref());
        // One by a path of this process Wine has another program start, which is not the one to be killed.
        let name = if program.is_absolute() { Self::path(program) } else { program.into() };
        command.arg(name).env("WINEPREFIX", self.prefix());
        command
    }

    fn wineserver(&self, word: &str) -> Command {
        let mut command = Command::new(WINESERVER);
        command.arg(word).env("WINEPREFIX", self.prefix());
        command
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Ok(awake) = self.awake.get_mut() {
            drop(awake.take());
        }
        if let Some(mut keeper) = self.keeper.take() {
            drop(keeper.stdin.take());
            // Nothing can be done about it.
            drop(keeper.wait());
        }
    }
}

/// Compiles a program or library of 32 bits for tests, once in this process.
#[track_caller]
pub fn compiled(name: &str, source: &str, flags: &[&str]) -> PathBuf {
    static COMPILING: Mutex<()> = Mutex::new(());
    let _alone = COMPILING.lock();
    let (text, output) = (workshop().path(&format!("{name}.c")), workshop().path(name));
    if !output.exists() {
        fs::write(&text, source).expect("a file can be written");
        let compiled = Command::new(COMPILER)
            .args(["-Wall", "-Werror"])
            .args(flags)
            .arg("-o")
            .arg(&output)
            .arg(&text)
            .status();
        assert!(compiled.is_ok_and(|status| status.success()), "{name} cannot be compiled");
    }
    output
}

/// A file that a program of the machine holds until this is dropped.
#[derive(Debug)]
pub struct Held {
    holder: Child,
}

impl Drop for Held {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        // A restart has ended it.
        drop(self.holder.wait());
    }
}

/// A program that runs on the machine.
///
/// Its output goes to files: what Wine starts for it may outlive it, and would keep a pipe open.
#[derive(Debug)]
pub struct Program {
    child: Child,
    output: [File; 2],
}

impl Program {
    fn start(command: &mut Command) -> Self {
        let output = [(); 2].map(|()| tempfile::tempfile().expect("a file can be made"));
        let [stdout, stderr] =
            output.each_ref().map(|file| file.try_clone().expect("a file can be opened twice"));
        let child = command.stdin(Stdio::null()).stdout(stdout).stderr(stderr).spawn().expect("Wine runs");
        Self { child, output }
    }

    /// Kills it.
    pub fn kill(&mut self) {
        self.child.kill().expect("a program of ours can be killed");
    }

    /// Waits for its end.
    pub fn end(mut self) -> Run {
        let status = self.child.wait().expect("a program of ours can be waited for");
        let [stdout, stderr] = self.output.each_mut().map(|file| {
            let mut bytes = Vec::new();
            file.rewind().and_then(|()| file.read_to_end(&mut bytes)).expect("a file can be read");
            bytes
        });
        Run::of(&Output { status, stdout, stderr })
    }
}

/// Runs a part of Wine, whose helpers outlive it and would keep its output open: it gets none.
#[track_caller]
fn quiet(command: &mut Command) {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(status.is_ok_and(|status| status.success()), "{command:?} failed");
}

/// Returns the arguments of an apply of `bundle`, a file of this process, to the site server in `target`, about which
/// nothing but its files is looked at.
pub fn apply_words(bundle: &Path, target: &str) -> Vec<OsString> {
    let mut words = apply_args(bundle, Path::new(target));
    let own = |word: &OsString| Path::new(word).is_absolute();
    words.iter_mut().filter(|word| own(word)).for_each(|word| *word = Machine::path(Path::new(word)));
    words.extend(["--registry", "none"].map(OsString::from));
    words
}

/// Returns where the toolchain and the Wine prefix are.
fn home() -> PathBuf {
    env::var_os("WIN_HOME").map_or_else(|| "/opt/windows-rust".into(), PathBuf::from)
}

/// Returns where a program is that `patcher/windows/build.sh` has built: the one that was built last, be it as it is given
/// away or as tests are.
pub fn program(bits: Bits, name: &str) -> PathBuf {
    let built = |folder: PathBuf| folder.join(bits.target()).join(format!("{name}.exe"));
    if let Some(folder) = env::var_os("WIN_DIST") {
        return built(folder.into());
    }
    let both = ["dist", "quick"].map(|folder| built(workspace().join("target/windows").join(folder)));
    let time = |path: &PathBuf| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    let [dist, quick] = both;
    if time(&quick) > time(&dist) { quick } else { dist }
}
