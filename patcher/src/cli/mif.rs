//! The status MIF, which SMS reads in place of the exit code (Q216744).
//!
//! The layout is that of `InstallStatusMIF` in ISMIF32.DLL, with CRLF line ends:
//!
//! | group | class | attributes, each with the most characters of its value |
//! |---|---|---|
//! | ComponentID | `DMTF\|ComponentID\|1.0` | Manufacturer 64, Product 64, Version 64, Locale 16, Serial Number 64, Installation 64 |
//! | InstallStatus | `MICROSOFT\|JOBSTATUS\|1.0` | Status 32 (`Success` or `Failed`), Description 128 |
//!
//! SMS finds the file by its name (which must end in `.mif`, in the folder of Windows or of temporary files), and by
//! manufacturer, product and version if the package names them: `qfe`, the manifest's product, `Q252717 revision 1`.
//!
//! The file is there from the beginning of a run, and says until its end that it was interrupted: a disk or folder
//! that takes no file is found out before the target is touched, and a killed run leaves no success of an earlier one.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::time::SystemTime;

use super::console::Console;
use super::failure::Failure;
use super::line::Given;
use super::{Done, own, verify};
use crate::bundle::manifest::Manifest;
use crate::exit::ExitCode;
use crate::host::Disk;
use crate::json::Json;
use crate::name::UpdateId;
use crate::timestamp::utc;
use crate::update::state;
use crate::update::target::TargetRoot;

/// The switch of every command whose end SMS may want to know.
#[derive(Debug)]
pub(super) struct MifArgs {
    mif: Option<PathBuf>,
}

impl MifArgs {
    pub(super) fn take(given: &mut Given) -> Self {
        Self { mif: given.path("mif") }
    }
}

/// The update that a status is about; empty where it is not known.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Subject {
    product: String,
    version: String,
}

impl Subject {
    fn new(product: &str, id: &str, revision: impl ToString) -> Self {
        Self { product: product.to_owned(), version: format!("{id} revision {}", revision.to_string()) }
    }

    /// Takes what a bundle says of itself, believed or not: a refusal of it must be found as well.
    pub(super) fn of_bundle(bundle: &Path) -> Self {
        let manifest = verify::open_file(bundle).ok().and_then(|bundle| bundle.manifest_unverified().ok());
        manifest.as_ref().map_or_else(Self::default, Self::of_manifest)
    }

    fn of_manifest(manifest: &Manifest) -> Self {
        Self::new(&manifest.product, manifest.id.as_str(), manifest.revision)
    }

    /// Takes the update that a rollback is about: of those in the target the named one, or the last; where there is none,
    /// or no target, that which the running program is the bundle of.
    pub(super) fn of_rollback(target: Option<&Path>, id: Option<&UpdateId>) -> Self {
        let scan = |target: &Path| state::scan(&Disk, TargetRoot::open(&Disk, target).ok()?).ok();
        let states = target.and_then(scan);
        let folders = states.iter().flatten();
        let begun = folders
            .filter(|folder| match id {
                Some(id) => folder.id == *id,
                None => folder.installed().is_some() || folder.is_interrupted(),
            })
            .max_by_key(|folder| folder.last_sequence())
            .and_then(|folder| folder.installed().or_else(|| folder.runs.last()?.begin()));
        let own = || own::manifest().filter(|own| id == Some(&own.id)).map(Self::of_manifest);
        begun
            .map(|begin| Self::new(&begin.product, begin.id.as_str(), begin.revision))
            .or_else(own)
            .unwrap_or_default()
    }

    /// Takes what the result of a command says.
    fn of_result(json: &Json) -> Option<Self> {
        let text = |key| json.at(key).and_then(Json::as_text);
        Some(Self::new(text("product")?, text("id")?, json.at("revision")?))
    }
}

/// Runs a command and writes how it ended, if that is asked for.
///
/// Where it cannot be written before, the command does not run. Where it cannot be written after, the file says that the
/// run was interrupted.
pub(super) fn reported(
    args: &MifArgs,
    subject: impl FnOnce() -> Subject,
    console: &Console,
    run: impl FnOnce() -> Result<Done, Failure>,
) -> Result<Done, Failure> {
    let Some(path) = &args.mif else { return run() };
    // Whatever else is there was named by mistake, and must not be replaced.
    if !path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("mif")) {
        let error = format!("--mif {}: SMS wants a name that ends in .mif", path.display());
        return Err(Failure::new(ExitCode::BadCommandLine, error));
    }
    let subject = subject();
    write(path, &mif(&subject, "Failed", "the run was interrupted before its end")).map_err(|error| {
        let error = format!("status MIF {} cannot be written: {error}", path.display());
        Failure::new(ExitCode::LogUnwritable, error).hint("name another file by --mif")
    })?;
    let result = run();
    let text = match &result {
        Ok(done) => {
            let subject = Subject::of_result(&done.json).unwrap_or(subject);
            let outcome = done.json.at("outcome").and_then(Json::as_text).unwrap_or(done.code.word());
            mif(&subject, status(done.code), &format!("{outcome}, code {}", done.code.number()))
        }
        Err(failure) => {
            let code = failure.code;
            let first = failure.findings.first().map(ToString::to_string);
            let first = first.unwrap_or_else(|| failure.messages().join(": "));
            mif(&subject, status(code), &format!("{}, code {}: {first}", code.word(), code.number()))
        }
    };
    if let Err(error) = write(path, &text) {
        let path = path.display();
        console.alert(format!("warning: status MIF {path} says no more than that the run began: {error}"));
    }
    result
}

/// Returns the word that SMS decides on: a restart that is pending is a success (Q263700).
fn status(code: ExitCode) -> &'static str {
    if matches!(code, ExitCode::Success | ExitCode::RestartNeeded) { "Success" } else { "Failed" }
}

/// Puts a file in place of what is there, if that is a file, as a whole or not at all.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    name.push(format!(".{}.new", process::id()));
    let new = path.with_file_name(name);
    // A killed process of that number may have left it.
    drop(fs::remove_file(&new));
    let file = OpenOptions::new().write(true).create_new(true).open(&new);
    let renamed = file.and_then(|mut file| file.write_all(bytes)).and_then(|()| fs::rename(&new, path));
    if renamed.is_err() {
        drop(fs::remove_file(&new));
    }
    renamed
}

fn mif(subject: &Subject, status: &str, description: &str) -> Vec<u8> {
    let now = utc(SystemTime::now());
    let component = [
        ("Manufacturer", 64, "qfe"),
        ("Product", 64, &subject.product),
        ("Version", 64, &subject.version),
        ("Locale", 16, "ENU"),
        ("Serial Number", 64, ""),
        ("Installation", 64, &now),
    ];
    let job = [("Status", 32, status), ("Description", 128, description)];
    let mut text = "START COMPONENT\nNAME = \"WORKSTATION\"\n".to_owned();
    group(&mut text, 1, "ComponentID", "DMTF|ComponentID|1.0", &component);
    group(&mut text, 2, "InstallStatus", "MICROSOFT|JOBSTATUS|1.0", &job);
    text.push_str("END COMPONENT\n");
    text.replace('\n', "\r\n").chars().map(latin_1).collect()
}

fn group(text: &mut String, id: usize, name: &str, class: &str, attributes: &[(&str, usize, &str)]) {
    text.push_str(&format!("  START GROUP\n    NAME = \"{name}\"\n    ID = {id}\n    CLASS = \"{class}\"\n"));
    for (number, (name, limit, value)) in attributes.iter().enumerate() {
        let value: String = value.chars().take(*limit).map(escaped).collect();
        text.push_str(&format!(
            "    START ATTRIBUTE\n      NAME = \"{name}\"\n      ID = {}\n      ACCESS = READ-ONLY\n      \
             STORAGE = SPECIFIC\n      TYPE = STRING({limit})\n      VALUE = \"{value}\"\n    END ATTRIBUTE\n",
            number + 1
        ));
    }
    text.push_str("  END GROUP\n");
}

/// Writes a character of a value by the rules of MIF files ("Desktop Management Interface Specification").
///
/// A quotation mark could be written too, but a reader that does not know how would end the value there.
fn escaped(character: char) -> String {
    match character {
        '\\' => r"\\".to_owned(),
        '"' => "'".to_owned(),
        _ if character.is_control() => " ".to_owned(),
        _ => character.to_string(),
    }
}

/// Returns a character's byte in ISO 8859-1, what a MIF file is in, and alike in Windows-1252; a question mark if it has none.
fn latin_1(character: char) -> u8 {
    u8::try_from(character).unwrap_or(b'?')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::object;

    fn subject() -> Subject {
        Subject::new("Systems Management Server 2.0", "Q252717", 1)
    }

    fn args(path: PathBuf) -> MifArgs {
        MifArgs { mif: Some(path) }
    }

    fn read(path: &Path) -> String {
        fs::read(path).unwrap().into_iter().map(char::from).collect()
    }

    #[test]
    fn the_file_has_the_layout_of_install_status_mif() {
        let text = String::from_utf8(mif(&subject(), "Success", "changed, code 0")).unwrap();
        let (head, rest) = text.split_once("      NAME = \"Product\"").unwrap();
        assert_eq!(
            head,
            "START COMPONENT\r\nNAME = \"WORKSTATION\"\r\n  START GROUP\r\n    NAME = \"ComponentID\"\r\n    ID = 1\r\n    \
             CLASS = \"DMTF|ComponentID|1.0\"\r\n    START ATTRIBUTE\r\n      NAME = \"Manufacturer\"\r\n      ID = 1\r\n      \
             ACCESS = READ-ONLY\r\n      STORAGE = SPECIFIC\r\n      TYPE = STRING(64)\r\n      VALUE = \"qfe\"\r\n    \
             END ATTRIBUTE\r\n    START ATTRIBUTE\r\n"
        );
        let (_, tail) = rest.split_once("  START GROUP\r\n").unwrap();
        assert_eq!(
            tail,
            "    NAME = \"InstallStatus\"\r\n    ID = 2\r\n    CLASS = \"MICROSOFT|JOBSTATUS|1.0\"\r\n    \
             START ATTRIBUTE\r\n      NAME = \"Status\"\r\n      ID = 1\r\n      ACCESS = READ-ONLY\r\n      \
             STORAGE = SPECIFIC\r\n      TYPE = STRING(32)\r\n      VALUE = \"Success\"\r\n    END ATTRIBUTE\r\n    \
             START ATTRIBUTE\r\n      NAME = \"Description\"\r\n      ID = 2\r\n      ACCESS = READ-ONLY\r\n      \
             STORAGE = SPECIFIC\r\n      TYPE = STRING(128)\r\n      VALUE = \"changed, code 0\"\r\n    END ATTRIBUTE\r\n  \
             END GROUP\r\nEND COMPONENT\r\n"
        );
        let names = ["Manufacturer", "Product", "Version", "Locale", "Serial Number", "Installation"];
        let places: Vec<_> = names.map(|name| text.find(&format!("NAME = \"{name}\"")).unwrap()).into();
        assert!(places.is_sorted());
    }

    #[test]
    fn values_are_cut_and_written_so_that_no_reader_can_misread_them() {
        let product = format!("a\"b\\c\r\nd\u{e9}\u{2014}{}", "x".repeat(100));
        let description = "\\".repeat(200);
        let bytes = mif(&Subject { product, version: String::new() }, "Failed", &description);
        let text: String = bytes.iter().copied().map(char::from).collect();
        let value = |name: &str| {
            let (_, rest) = text.split_once(&format!("NAME = \"{name}\"")).unwrap();
            rest.split_once("VALUE = \"").unwrap().1.split_once("\"\r\n").unwrap().0.to_owned()
        };
        assert_eq!(value("Product"), format!("a'b\\\\c  d\u{e9}?{}", "x".repeat(64 - 10)));
        assert_eq!(value("Description"), "\\\\".repeat(128), "128 characters, each written as two");
        assert_eq!(value("Version"), "");
    }

    #[test]
    fn a_pending_restart_is_a_success_and_the_result_names_the_update() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("status.mif");
        let console = Console::new(false, true);
        let run = |code| {
            let json = object!({"outcome": "o", "id": "Q1", "revision": 7_u16, "product": "Better"});
            reported(&args(path.clone()), subject, &console, || {
                assert!(read(&path).contains("interrupted"), "until its end");
                Ok(Done { code, json })
            })
        };
        for code in ExitCode::ALL {
            assert_eq!(run(code).unwrap().code, code);
            let text = read(&path);
            let good = code == ExitCode::Success || code == ExitCode::RestartNeeded;
            assert_eq!(text.contains("VALUE = \"Success\""), good);
            assert_eq!(text.contains("VALUE = \"Failed\""), !good);
            assert!(text.contains(&format!("VALUE = \"o, code {}\"", code.number())));
            assert!(text.contains("\"Q1 revision 7\"") && text.contains("\"Better\""));
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn nothing_runs_where_no_mif_can_be_written() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("taken.mif")).unwrap();
        for (name, code) in [
            ("absent/status.mif", ExitCode::LogUnwritable),
            ("taken.mif", ExitCode::LogUnwritable),
            ("bundle.zip", ExitCode::BadCommandLine),
            ("..", ExitCode::BadCommandLine),
        ] {
            let console = Console::new(false, true);
            let result =
                reported(&args(folder.path().join(name)), subject, &console, || panic!("it must not run"));
            let failure = result.err().unwrap();
            assert_eq!(failure.code, code, "{name}");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
