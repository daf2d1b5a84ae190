//! Services of a machine, which behave as a test wants it (`service.c`).

use std::fs;

use super::{Machine, compiled};

/// Where their program is, and what it reads and writes.
const FOLDER: &str = "Services";

/// The services of a machine.
#[derive(Debug)]
pub struct Services<'m> {
    machine: &'m Machine,
}

impl Machine {
    /// Returns the services of this machine that are of our making.
    pub fn services(&self) -> Services<'_> {
        let folder = self.disk(FOLDER);
        if !folder.exists() {
            let program = compiled("service.exe", include_str!("service.c"), &[]);
            fs::create_dir(&folder).expect("a folder can be made");
            fs::copy(program, folder.join("service.exe")).expect("a file can be copied");
        }
        Services { machine: self }
    }
}

impl Services<'_> {
    /// Runs commands of the program, each of which must succeed, and returns what it says to each.
    #[track_caller]
    pub fn run(&self, commands: &[&str]) -> Vec<String> {
        let run = self.machine.program(format!("C:\\{FOLDER}\\service.exe"), commands);
        let said: Vec<String> = run.stdout.lines().map(|line| line.trim_end().to_owned()).collect();
        let failed = said.iter().any(|line| line.starts_with("error"));
        assert!(said.len() == commands.len() && !failed, "{commands:?}: {run:?}");
        said
    }

    /// Returns what services are: "stopped", "starting", "stopping", "running", or "missing".
    #[track_caller]
    pub fn states(&self, names: &[&str]) -> Vec<String> {
        let commands: Vec<String> = names.iter().map(|name| format!("state {name}")).collect();
        self.run(&commands.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Has a service behave so from its next start on: milliseconds that it takes to stop, "refuses" or "fails".
    pub fn set_conduct(&self, name: &str, conduct: &str) {
        self.write(&format!("{name}.conduct"), conduct);
    }

    /// Has a service load a file as a library while it runs, from its next start on.
    pub fn set_loads(&self, name: &str, path: &str) {
        self.write(&format!("{name}.loads"), path);
    }

    fn write(&self, file: &str, text: &str) {
        fs::write(self.machine.disk(FOLDER).join(file), text).expect("a file can be written");
    }

    /// Returns which services have begun to run ("+NAME") and to rest ("-NAME") since this was asked last, in order.
    pub fn events(&self) -> Vec<String> {
        let read = |file: &str| fs::read_to_string(self.machine.disk(FOLDER).join(file)).unwrap_or_default();
        let (log, seen) = (read("services.log"), read("seen").parse().unwrap_or(0));
        self.write("seen", &log.lines().count().to_string());
        log.lines().skip(seen).map(str::to_owned).collect()
    }
}
