//! Trust, as the programs judge it: named cases in a table, in the manner of the conformance tests of The Update Framework.
//!
//! Each case is a folder of keys and a bundle, put together as no honest builder would, given to `qfe-patcher verify`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use ct_codecs::{Base64, Decoder, Encoder};
use qfe_builder::container::{self, Contents};
use qfe_builder::sign::{NewKey, SigningKey};
use qfe_patcher::bundle::Bundle;
use qfe_patcher::bundle::container::ContainerKind;
use qfe_patcher::bundle::keyring::Edition;
use qfe_patcher::bundle::manifest::Manifest;
use qfe_patcher::exit::ExitCode;
use qfe_tests::args;
use qfe_tests::programs::patcher;
use qfe_tests::samples::tiny;

mod builder;
mod chain;
mod document;
mod memory;
mod signatures;

/// The product of the bundle of the cases.
const PRODUCT: &str = "Systems Management Server 2.0";

/// Somebody with a key.
struct Person {
    key: SigningKey,
    secret: String,
    public: String,
}

/// Returns a person by name; who is not known is refused.
fn person(name: &str) -> &'static Person {
    static PEOPLE: OnceLock<BTreeMap<&'static str, Person>> = OnceLock::new();
    let people = PEOPLE.get_or_init(|| {
        let make = |name| {
            let new = NewKey::generate(None).unwrap();
            let key = SigningKey::read(name, &new.secret, &[]).unwrap();
            (name, Person { key, secret: new.secret, public: new.public })
        };
        ["Ann", "Bob", "Cat", "Eve"].map(make).into()
    });
    &people[name]
}

impl Person {
    /// Returns the second line of the public key.
    fn line(&self) -> &str {
        self.public.lines().nth(1).unwrap()
    }

    fn id(&self) -> String {
        self.key.id().to_string()
    }
}

/// What the bundle of the cases holds, without signatures.
fn contents() -> &'static Contents {
    static CONTENTS: OnceLock<Contents> = OnceLock::new();
    CONTENTS.get_or_init(|| {
        let bundle = Bundle::open(Cursor::new(fs::read(&tiny().bundle).unwrap())).unwrap();
        let manifest = bundle.signed().bytes.clone();
        let mut container = bundle.into_container();
        let names: Vec<_> = container.members().cloned().collect();
        let members = names
            .into_iter()
            .filter(|name| name.as_str() != "manifest.json" && !name.as_str().starts_with("signatures/"));
        let members = members.map(|name| (name.clone(), container.read(&name, 1 << 20).unwrap())).collect();
        Contents { manifest, members, ..Contents::default() }
    })
}

/// Returns somebody's signature of the manifest.
fn signature(name: &str) -> String {
    let bytes = &contents().manifest;
    person(name).key.sign(&Manifest::parse(bytes).unwrap(), bytes).unwrap()
}

/// Returns a signature whose base64 in this line was changed as bytes.
fn altered(signature: &str, line: usize, change: impl Fn(&mut Vec<u8>)) -> String {
    let mut lines: Vec<String> = signature.lines().map(str::to_owned).collect();
    let mut bytes = Base64::decode_to_vec(&lines[line], None).unwrap();
    change(&mut bytes);
    lines[line] = Base64::encode_to_string(bytes).unwrap();
    lines.join("\n") + "\n"
}

/// A key ring as it is being written.
#[derive(Clone)]
struct Ring {
    name: String,
    version: u32,
    text: String,
}

/// Writes a ring with these keys, each a name and perhaps lines behind `: `.
fn ring(version: u32, threshold: usize, keys: &[&str]) -> Ring {
    let mut text =
        format!("name = \"Ring\"\nversion = {version}\nthreshold = {threshold}\nissued = \"2000-01-01\"\n");
    for key in keys {
        let (name, more) = key.split_once(": ").unwrap_or((key, ""));
        text.push_str(&format!("[[key]]\nname = \"{name}\"\nkey = \"{}\"\n{more}\n", person(name).line()));
    }
    Ring { name: "Ring".to_owned(), version, text }
}

impl Ring {
    /// Puts lines before the first key.
    fn with(mut self, lines: &str) -> Self {
        self.text.insert_str(0, &format!("{lines}\n"));
        self
    }

    /// Puts lines behind the last key.
    fn and(mut self, lines: &str) -> Self {
        self.text.push_str(&format!("{lines}\n"));
        self
    }

    fn replace(mut self, from: &str, to: &str) -> Self {
        assert!(self.text.contains(from), "{from:?} is not in: {}", self.text);
        self.text = self.text.replace(from, to);
        self
    }

    /// Returns somebody's signature of it.
    fn signature(&self, name: &str) -> String {
        let edition = Edition { name: self.name.clone(), version: self.version };
        person(name).key.sign_ring(&edition, self.text.as_bytes()).unwrap()
    }

    /// Returns the members of a chain: the ring and the signatures of these.
    fn signed_by(&self, names: &[&str]) -> Vec<(String, Vec<u8>)> {
        let mut members = vec![(format!("{}.toml", self.version), self.text.clone().into_bytes())];
        members.extend(names.iter().map(|name| {
            (format!("{}.{}.minisig", self.version, person(name).id()), self.signature(name).into_bytes())
        }));
        members
    }
}

/// A folder of keys and a bundle, and what must become of them.
struct Case {
    name: &'static str,
    keys: BTreeMap<String, Vec<u8>>,
    contents: Contents,
    code: ExitCode,
    says: Vec<String>,
}

/// Makes a case in which nobody is believed and nobody signed.
fn case(name: &'static str) -> Case {
    let contents = contents().clone();
    Case { name, keys: BTreeMap::new(), contents, code: ExitCode::Success, says: Vec::new() }
}

impl Case {
    /// Believes these, one of whom must sign.
    fn keys(mut self, names: &[&str]) -> Self {
        self.keys.extend(
            names.iter().map(|name| (format!("{name}.pub"), person(name).public.clone().into_bytes())),
        );
        self
    }

    /// Believes a ring.
    fn ring(self, ring: &Ring) -> Self {
        self.file("keyring.toml", ring.text.as_bytes())
    }

    /// Puts a file beside the keys.
    fn file(mut self, name: &str, bytes: &[u8]) -> Self {
        self.keys.insert(name.to_owned(), bytes.to_vec());
        self
    }

    /// Has these sign the manifest.
    fn signed_by(self, names: &[&str]) -> Self {
        names.iter().fold(self, |case, name| case.signature(&person(name).id(), &signature(name)))
    }

    /// Adds a signature file.
    fn signature(mut self, name: &str, text: &str) -> Self {
        self.contents.signatures.insert(format!("signatures/{name}.minisig"), text.to_owned());
        self
    }

    /// Has the bundle carry members of a chain.
    fn carries(mut self, members: Vec<(String, Vec<u8>)>) -> Self {
        self.contents
            .rings
            .extend(members.into_iter().map(|(name, bytes)| (format!("keyring/{name}"), bytes)));
        self
    }

    /// Puts members of a chain beside the keys.
    fn beside(mut self, members: Vec<(String, Vec<u8>)>) -> Self {
        self.keys.extend(members.into_iter().map(|(name, bytes)| (format!("keyring/{name}"), bytes)));
        self
    }

    /// Wants it believed, and these words said.
    fn good(self, says: &[&str]) -> Self {
        self.ends(ExitCode::Success, says)
    }

    /// Wants it refused for want of trust, with these words.
    fn refused(self, says: &[&str]) -> Self {
        self.ends(ExitCode::Untrusted, says)
    }

    /// Wants it refused as no bundle, with these words.
    fn malformed(self, says: &[&str]) -> Self {
        self.ends(ExitCode::BundleMalformed, says)
    }

    fn ends(mut self, code: ExitCode, says: &[&str]) -> Self {
        self.code = code;
        self.says = says.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// Writes the folder of keys and the bundle.
    fn write(&self, folder: &Path) -> (PathBuf, PathBuf) {
        let (keys, bundle) = (folder.join("keys"), folder.join("bundle.zip"));
        fs::create_dir_all(keys.join("keyring")).unwrap();
        for (name, bytes) in &self.keys {
            fs::write(keys.join(name), bytes).unwrap();
        }
        let bytes = container::write(ContainerKind::Zip, &self.contents, Cursor::new(Vec::new())).unwrap();
        fs::write(&bundle, bytes.into_inner()).unwrap();
        (keys, bundle)
    }

    /// Gives it to the program; tells what is not as it must be.
    fn wrong(&self) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        let (keys, bundle) = self.write(folder.path());
        let run = patcher(args!["verify", bundle, "--keys", keys, "--json"]);
        let missing: Vec<&String> = self.says.iter().filter(|word| !run.stderr.contains(*word)).collect();
        let told = run.json()["code"] == self.code.number();
        let remedy = self.code == ExitCode::Success || run.stderr.contains("hint: ");
        if run.status == self.code.status() && told && missing.is_empty() && remedy {
            return None;
        }
        Some(format!(
            "{}: ended with {}, wanted {:?} and {missing:?}:\n{}",
            self.name, run.status, self.code, run.stderr
        ))
    }
}

/// Tries all cases of a table.
#[track_caller]
fn try_all(cases: &[Case]) {
    let names: std::collections::BTreeSet<_> = cases.iter().map(|case| case.name).collect();
    assert_eq!(names.len(), cases.len(), "every case has a name of its own");
    let wrong: Vec<String> = cases.iter().filter_map(Case::wrong).collect();
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    println!("{} cases are judged as they must be", cases.len());
}
