//! Services and registry of another machine, through Samba's `net`: what a Unix has to reach a Windows with.
//!
//! This file runs the program and takes its refusals apart; `services` and `registry` know its commands. Each call is
//! one process, one connection and one logon: about a tenth of a second, and never more than [`LIMIT`]. Passwords
//! are only in the file of credentials, which `net` itself reads; without one it takes the user's Kerberos ticket,
//! and it never asks. Its configuration is the system's, or what the variable `SMB_CONF_PATH` names.

use std::fs::File;
use std::io::{self, Read};
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use self::registry::NetRegistry;
use self::services::NetServices;
use super::{Credentials, HostError, Registry, Server, Services};

mod registry;
mod services;

/// How long a call may take. Windows answers a start once the service's process has come up, for which it has 30 s;
/// `net` by itself gives up a server that says nothing after 20 s.
const LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(2);
/// Most bytes that are read of an answer: a server may say what it likes.
const MAX_ANSWER: u64 = 16 << 20;
/// Most characters of what `net` says that go into an error.
const MAX_WORDS: usize = 200;

/// Reaches the services of a machine.
pub(super) fn remote_services(
    server: &Server,
    credentials: &Credentials,
) -> Result<Box<dyn Services>, HostError> {
    Ok(Box::new(NetServices::new(Net::new(server, credentials)?)))
}

/// Reaches the registry of a machine.
pub(super) fn remote_registry(
    server: &Server,
    credentials: &Credentials,
) -> Result<Box<dyn Registry>, HostError> {
    Ok(Box::new(NetRegistry::new(Net::new(server, credentials)?)))
}

/// The program `net`, and the machine that it is to reach.
#[derive(Debug)]
struct Net {
    command: Vec<String>,
    credentials: Credentials,
    limit: Duration,
}

/// What `net` said instead of doing what it was asked.
#[derive(Debug)]
struct Refusal {
    kind: io::ErrorKind,
    words: String,
}

impl Net {
    /// Names the machine, as `NAME`, `ADDRESS` or either with `:PORT`; nothing is reached yet.
    fn new(server: &Server, credentials: &Credentials) -> Result<Self, HostError> {
        if let Some(path) = credentials {
            // `net` says no more of one that cannot be read than that it cannot.
            File::open(path).map_err(HostError::io("open the credentials", path))?;
        }
        let (name, port) = split_port(server.as_str());
        // No password is asked for, even where there is a terminal. It must stand before the credentials.
        let mut command: Vec<String> = ["net", "-N", "-S", name].map(str::to_owned).into();
        if let Some(port) = port {
            command.extend(["-p".to_owned(), port.to_string()]);
        }
        Ok(Self { command, credentials: credentials.clone(), limit: LIMIT })
    }

    /// Calls `net rpc` with these arguments, none of which is an option; returns what it writes to standard output.
    fn rpc(&self, args: &[&str]) -> Result<String, Refusal> {
        let child = self.spawn(args).map_err(|error| Refusal::of_spawning(&error))?;
        let answer = finish(child, self.limit).map_err(Refusal::of_running)?;
        // `setvalue` exits with 0 when it has failed.
        let has_failed = |line: &str| line.starts_with("registry_") && line.contains(" failed: ");
        if answer.succeeded && !answer.stderr.lines().any(has_failed) {
            return Ok(answer.stdout);
        }
        Err(Refusal::of_words(&answer.stderr, &answer.stdout))
    }

    fn spawn(&self, args: &[&str]) -> io::Result<Child> {
        let (program, options) = self.command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let mut command = Command::new(program);
        command.args(options);
        if let Some(path) = &self.credentials {
            command.arg("-A").arg(path);
        }
        command.args(["--", "rpc"]).args(args).env("LC_ALL", "C");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
    }
}

/// What a process that has ended by itself gave.
struct Answer {
    succeeded: bool,
    stdout: String,
    stderr: String,
}

/// Waits for the end of a process; kills it if that does not come in time.
fn finish(mut child: Child, limit: Duration) -> io::Result<Answer> {
    let began = Instant::now();
    let stdout = collect(child.stdout.take());
    let stderr = collect(child.stderr.take());
    loop {
        if let Some(status) = child.try_wait()? {
            let [stdout, stderr] = [stdout, stderr].map(text);
            return Ok(Answer { succeeded: status.success(), stdout: stdout?, stderr: stderr? });
        }
        if began.elapsed() >= limit {
            child.kill()?;
            child.wait()?;
            let words = format!("no answer within {} seconds", limit.as_secs());
            return Err(io::Error::new(io::ErrorKind::TimedOut, words));
        }
        thread::sleep(POLL);
    }
}

/// Reads a pipe to its end, whoever else has to be waited for.
fn collect<R: Read + Send + 'static>(pipe: Option<R>) -> JoinHandle<io::Result<Vec<u8>>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(pipe) = pipe {
            pipe.take(MAX_ANSWER + 1).read_to_end(&mut bytes)?;
        }
        Ok(bytes)
    })
}

fn text(reader: JoinHandle<io::Result<Vec<u8>>>) -> io::Result<String> {
    let bytes = reader.join().unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))?;
    if bytes.len() as u64 > MAX_ANSWER {
        return Err(invalid(&format!("more than {MAX_ANSWER} bytes")));
    }
    String::from_utf8(bytes).map_err(|_| invalid("no UTF-8"))
}

/// Makes the error for an answer that is not what `net` is known to say.
fn invalid(answer: &str) -> io::Error {
    let answer: String = answer.chars().take(MAX_WORDS).collect();
    io::Error::new(io::ErrorKind::InvalidData, format!("net answers what is not understood: {answer:?}"))
}

/// Splits `:PORT` off a name or an IPv4 address.
fn split_port(server: &str) -> (&str, Option<u16>) {
    match server.split_once(':') {
        Some((name, port)) if !name.is_empty() => match port.parse() {
            Ok(port) => (name, Some(port)),
            Err(_) => (server, None),
        },
        _ => (server, None),
    }
}

impl Refusal {
    fn of_spawning(error: &io::Error) -> Self {
        let words = match error.kind() {
            io::ErrorKind::NotFound => {
                "Samba's net is not on the PATH: Debian has it in the package samba-common-bin, others in \
                 samba-client or samba-common-tools"
                    .to_owned()
            }
            _ => format!("cannot run net: {error}"),
        };
        Self { kind: error.kind(), words }
    }

    fn of_running(error: io::Error) -> Self {
        Self { kind: error.kind(), words: error.to_string() }
    }

    /// Takes the last line that says something.
    fn of_words(stderr: &str, stdout: &str) -> Self {
        // Samba's allocator may complain of `net` after the error.
        let speaks = |line: &&str| !line.trim().is_empty() && !line.starts_with("Freed frame ");
        let line = stderr.lines().rfind(speaks).or_else(|| stdout.lines().rfind(speaks));
        let words = line.unwrap_or("net fails and does not say why");
        let words: String = words.chars().filter(|char| !char.is_control()).take(MAX_WORDS).collect();
        Self { kind: kind_of(&words), words }
    }

    /// Returns the code in it, such as `WERR_ACCESS_DENIED`; empty if there is none.
    fn code(&self) -> &str {
        code_in(&self.words)
    }

    fn into_error(self) -> io::Error {
        io::Error::new(self.kind, self.words)
    }
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::of_running(error)
    }
}

/// Returns the last code of Windows that a text names.
fn code_in(words: &str) -> &str {
    let is_code = |word: &&str| word.starts_with("NT_STATUS_") || word.starts_with("WERR_");
    words.split(|char: char| !char.is_ascii_alphanumeric() && char != '_').rfind(is_code).unwrap_or_default()
}

/// Tells what a refusal comes to.
fn kind_of(words: &str) -> io::ErrorKind {
    use io::ErrorKind as Kind;
    let code = code_in(words);
    match code.strip_prefix("NT_STATUS_").or_else(|| code.strip_prefix("WERR_")).unwrap_or_default() {
        "ACCESS_DENIED"
        | "NETWORK_ACCESS_DENIED"
        | "PRIVILEGE_NOT_HELD"
        | "LOGON_FAILURE"
        | "LOGON_TYPE_NOT_GRANTED"
        | "WRONG_PASSWORD"
        | "NO_SUCH_USER"
        | "PASSWORD_EXPIRED"
        | "PASSWORD_MUST_CHANGE"
        | "ACCOUNT_DISABLED"
        | "ACCOUNT_EXPIRED"
        | "ACCOUNT_LOCKED_OUT"
        | "ACCOUNT_RESTRICTION"
        | "INVALID_LOGON_HOURS"
        | "INVALID_WORKSTATION" => Kind::PermissionDenied,
        "CONNECTION_REFUSED" => Kind::ConnectionRefused,
        "HOST_UNREACHABLE" => Kind::HostUnreachable,
        "NETWORK_UNREACHABLE" => Kind::NetworkUnreachable,
        "CONNECTION_RESET"
        | "CONNECTION_DISCONNECTED"
        | "CONNECTION_ABORTED"
        | "PIPE_BROKEN"
        | "PIPE_DISCONNECTED"
        | "LOCAL_DISCONNECT"
        | "REMOTE_DISCONNECT" => Kind::ConnectionReset,
        "IO_TIMEOUT" | "SERVICE_REQUEST_TIMEOUT" | "RPC_CALL_CANCELLED" => Kind::TimedOut,
        "SERVICE_DOES_NOT_EXIST" | "OBJECT_NAME_NOT_FOUND" | "FILE_NOT_FOUND" => Kind::NotFound,
        _ if words.starts_with("Unable to find a suitable server") => Kind::HostUnreachable,
        _ => Kind::Other,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn net(command: &[&str], limit: Duration) -> Net {
        let command = command.iter().map(|word| (*word).to_owned()).collect();
        Net { command, credentials: None, limit }
    }

    #[test]
    fn what_net_says_comes_to_what_the_user_can_do_about_it() {
        use io::ErrorKind as Kind;
        for (words, kind) in [
            ("Failed to open service.  [WERR_ACCESS_DENIED]", Kind::PermissionDenied),
            ("registry_setvalue failed: NT_STATUS_ACCESS_DENIED", Kind::PermissionDenied),
            ("Connection failed: NT_STATUS_LOGON_FAILURE", Kind::PermissionDenied),
            ("Connection failed: NT_STATUS_CONNECTION_REFUSED", Kind::ConnectionRefused),
            ("Connection failed: NT_STATUS_IO_TIMEOUT", Kind::TimedOut),
            ("Failed to open service.  [WERR_SERVICE_DOES_NOT_EXIST]", Kind::NotFound),
            ("Unable to find a suitable server for domain SITE", Kind::HostUnreachable),
            ("Control service request failed.  [WERR_SERVICE_CANNOT_ACCEPT_CTRL]", Kind::Other),
            ("Control service request failed.  [DOS code 0x00000999]", Kind::Other),
        ] {
            let noise = "Freed frame ../../source3/utils/net.c:939, expected ../../x.c:740.";
            let refusal = Refusal::of_words(&format!("Could not connect\n{words}\n{noise}\n\n"), "NO");
            assert_eq!((refusal.kind, refusal.words.as_str()), (kind, words));
        }
        assert_eq!(Refusal::of_words("", "only here\n").words, "only here");
        assert_eq!(Refusal::of_words(&"x".repeat(1000), "").words.len(), MAX_WORDS);
    }

    #[test]
    fn only_a_number_after_one_colon_is_a_port() {
        assert_eq!(split_port("SITE1"), ("SITE1", None));
        assert_eq!(split_port("10.0.0.1:1445"), ("10.0.0.1", Some(1445)));
        for address in ["fe80::1", "::1", "SITE1:x", "SITE1:99999"] {
            assert_eq!(split_port(address), (address, None));
        }
    }

    #[test]
    fn a_program_that_does_not_end_is_killed_and_one_that_is_missing_is_named_with_its_package() {
        let began = Instant::now();
        let refusal = net(&["sh", "-c", "exec sleep 100"], Duration::from_millis(50)).rpc(&[]).unwrap_err();
        assert_eq!(refusal.kind, io::ErrorKind::TimedOut);
        assert!(began.elapsed() < Duration::from_secs(50));
        let refusal = net(&["qfe-no-such-net"], LIMIT).rpc(&[]).unwrap_err();
        assert_eq!(refusal.kind, io::ErrorKind::NotFound);
        assert!(refusal.words.contains("samba-common-bin"), "{}", refusal.words);
    }

    #[test]
    fn a_failure_that_exits_with_success_is_one_all_the_same() {
        let script = "echo 'registry_setvalue failed: NT_STATUS_ACCESS_DENIED' >&2";
        let refusal = net(&["sh", "-c", script], LIMIT).rpc(&[]).unwrap_err();
        assert_eq!(refusal.kind, io::ErrorKind::PermissionDenied);
        assert_eq!(net(&["sh", "-c", "echo \"$0 $1 $2\""], LIMIT).rpc(&["a"]).unwrap(), "-- rpc a\n");
    }

    #[test]
    fn credentials_that_cannot_be_read_are_named() {
        let path = Path::new("/nowhere/credentials").to_owned();
        let error = Net::new(&"SITE1".parse().unwrap(), &Some(path)).unwrap_err();
        assert_eq!(error.to_string(), "cannot open the credentials /nowhere/credentials");
    }
}
