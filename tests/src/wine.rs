//! Windows, as far as Wine is it: machines for one test each, on which the programs as they are given away run.
//!
//! A machine has the state of a fresh one: its registry, services and disk `C:` are its own, so that tests that run at
//! once do not meet and each may restart its own. The programs and the toolchain are those of `patcher/windows/`.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::args;
use crate::programs::{Run, has_tool, workspace};
use crate::samples::apply_args;

const WINESERVER: &str = "/usr/lib/wine/wineserver64";
/// Of programs with 32 bits: those can load a library for i386.
const COMPILER: &str = "i686-w64-mingw32-gcc";

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
        let machine = Self { folder, bits, keeper: Some(keeper) };
        machine.boot("--init");
        Some(machine)
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
    pub fn start_patcher<I: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = I>) -> Child {
        let mut command = self.wine(program(self.bits, "qfe-patcher"));
        command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("Wine runs")
    }

    /// Runs the patcher.
    pub fn patcher<I: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = I>) -> Run {
        end(self.start_patcher(args))
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
        let mut command = self.wine(program);
        Run::of(&command.args(args).stdin(Stdio::null()).output().expect("Wine runs"))
    }

    /// Restarts the machine: programs end, and what was ordered for the restart is done.
    pub fn restart(&self) {
        for word in ["-k", "-w"] {
            quiet(&mut self.wineserver(word));
        }
        self.boot("--restart");
    }

    fn boot(&self, how: &str) {
        // Wine's server would end with the last program, and take seconds to start for the next.
        quiet(&mut self.wineserver("-p"));
        quiet(self.wine("wineboot").arg(how));
    }

    /// Has a program of the machine open a file, which others may read.
    pub fn open(&self, path: &str) -> Held {
        self.hold("open", path)
    }

    /// Has a program of the machine load a file as a library.
    pub fn load(&self, path: &str) -> Held {
        self.hold("load", path)
    }

    #[track_caller]
    fn hold(&self, how: &str, path: &str) -> Held {
        let (source, program) = (self.folder.path().join("hold.c"), self.folder.path().join("hold.exe"));
        if !program.exists() {
            fs::write(&source, include_str!("hold.c")).expect("a file can be written");
            let compiled = Command::new(COMPILER).args(args!["-o", &program, &source]).status();
            assert!(compiled.is_ok_and(|status| status.success()), "hold.c cannot be compiled");
        }
        let mut holder = self
            .wine(&program)
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
        command.arg(program).env("WINEPREFIX", self.prefix());
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
        if let Some(mut keeper) = self.keeper.take() {
            drop(keeper.stdin.take());
            // Nothing can be done about it.
            drop(keeper.wait());
        }
    }
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

/// Runs a part of Wine, whose helpers outlive it and would keep its output open: it gets none.
#[track_caller]
fn quiet(command: &mut Command) {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(status.is_ok_and(|status| status.success()), "{command:?} failed");
}

/// Waits for the end of a program.
pub fn end(program: Child) -> Run {
    Run::of(&program.wait_with_output().expect("its output can be read"))
}

/// Returns the arguments of an apply of `bundle`, a file of this process, to the site server in `target`.
pub fn apply_words(bundle: &Path, target: &str) -> Vec<OsString> {
    let mut words = apply_args(bundle, Path::new(target));
    let own = |word: &OsString| Path::new(word).is_absolute();
    words.iter_mut().filter(|word| own(word)).for_each(|word| *word = Machine::path(Path::new(word)));
    words
}

/// Returns where the toolchain and the Wine prefix are.
fn home() -> PathBuf {
    env::var_os("WIN_HOME").map_or_else(|| "/opt/windows-rust".into(), PathBuf::from)
}

/// Returns where a program is that `patcher/windows/build.sh` has built.
fn program(bits: Bits, name: &str) -> PathBuf {
    let dist = env::var_os("WIN_DIST").map_or_else(|| workspace().join("target/windows/dist"), PathBuf::from);
    dist.join(bits.target()).join(format!("{name}.exe"))
}
