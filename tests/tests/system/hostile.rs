//! Containers that mean harm: each is refused with the words of the table, in little memory and time, and touches nothing.
//!
//! They are made here, field by field, for no writer of archives makes them.

use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use flate2::Compression;
use flate2::write::DeflateEncoder;
use qfe_patcher::bundle::container::Container;
use qfe_patcher::exit::ExitCode;
use qfe_tests::args;
use qfe_tests::programs::{Run, program};
use qfe_tests::samples::{Server, apply_args, workshop};
use qfe_tests::tree;
use serde_json::json;

use crate::self_extracting::program::{patcher, program as small_program, ring};
use cab::cabinet_of;
use zip::{DESCRIPTOR, Entry, archive, archive_with, behind};

/// What a refusal may take, by the system's own limits: address space, and seconds of CPU.
const MEMORY_KB: u32 = 192 << 10;
const SECONDS: u32 = 20;

#[path = "../../../patcher/src/bundle/container/cab/fixture.rs"]
#[allow(dead_code, reason = "it is written for the unit tests of the patcher")]
mod cab;
#[path = "../../../patcher/src/bundle/container/zip/fixture.rs"]
mod zip;

/// An entry of so many zeros, deflated, that says it has `size` bytes.
fn zeros(name: &str, count: usize, size: u32) -> Entry {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    for _ in 0..count >> 20 {
        encoder.write_all(&vec![0; 1 << 20]).unwrap();
    }
    let mut entry = Entry { method: 8, ..Entry::new(name, &encoder.finish().unwrap()) };
    for sizes in &mut entry.sizes {
        sizes[1] = size;
    }
    entry
}

/// Makes an archive of one such entry beside a manifest.
fn with(entry: Entry) -> Vec<u8> {
    archive(&[manifest(), entry])
}

/// Makes an archive with a member of this name beside a manifest.
fn named(name: &str) -> Vec<u8> {
    with(Entry::new(name, b"x"))
}

fn manifest() -> Entry {
    Entry::new("manifest.json", b"{}")
}

/// Makes a cabinet of one stored folder whose data are zeros; its files by name, beginning and size.
fn cabinet(size: usize, files: &[(&str, u32, u32)]) -> Vec<u8> {
    let zeros = vec![0; size];
    let blocks = zeros.chunks(0x8000).map(|block| (block, u16::try_from(block.len()).unwrap()));
    cabinet_of(0, &blocks.collect::<Vec<_>>(), 1, files)
}

/// The sample bundle as a cabinet, with bytes of its header replaced.
fn patched_cabinet(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut cabinet = fs::read(workshop().path("Q252717.cab")).unwrap();
    cabinet.splice(at..at + bytes.len(), bytes.iter().copied());
    cabinet
}

/// Runs one of the programs within the limits.
fn limited(name: &str, args: &[OsString]) -> Run {
    let script = format!("ulimit -v {MEMORY_KB} && ulimit -t {SECONDS} && exec \"$0\" \"$@\"");
    let mut command = Command::new("sh");
    command.arg("-c").arg(script).arg(program(name)).args(args);
    Run::of(&command.output().expect("a shell runs"))
}

/// What a container is to be refused with.
struct Case {
    what: &'static str,
    bytes: Vec<u8>,
    words: Vec<&'static str>,
}

fn case(what: &'static str, bytes: Vec<u8>, words: &[&'static str]) -> Case {
    Case { what, bytes, words: words.to_vec() }
}

/// Archives that make much of little, or say that they do.
fn bombs() -> Vec<Case> {
    let mut overlapping = vec![manifest(); 3];
    (overlapping[1].name, overlapping[2].name) = (b"i386/a".to_vec(), b"i386/b".to_vec());
    (overlapping[1].position, overlapping[2].position) = (Some(0), Some(0));
    let wide = |size: u64| [&[1, 0, 8, 0][..], &size.to_le_bytes()].concat();
    let ten_gigabytes = Entry { central_extra: wide(10 << 30), ..zeros("manifest.json", 64 << 20, u32::MAX) };
    let many: Vec<Entry> = (0..30_000).map(|number| Entry::new(&format!("i386/{number}"), b"")).collect();
    let deep = "a/".repeat(100) + "a";
    let signatures = |count: u32, size: usize| {
        let all = (0..count).map(|n| Entry::new(&format!("signatures/{n}.minisig"), &vec![b'x'; size]));
        archive(&all.chain([manifest()]).collect::<Vec<_>>())
    };
    vec![
        case(
            "64 MB of zeros in 64 KB",
            archive(&[zeros("manifest.json", 64 << 20, 64 << 20)]),
            &["member manifest.json is larger than the 4194304 bytes it may have"],
        ),
        case("10 GB of zeros", archive(&[ten_gigabytes]), &["manifest.json", "size"]),
        case(
            "more zeros than are admitted",
            archive(&[zeros("manifest.json", 64 << 20, 4 << 20)]),
            &["manifest.json is damaged", "do not end after 4194304"],
        ),
        case(
            "more than deflate can make",
            archive(&[zeros("manifest.json", 0, 4 << 20)]),
            &["its size is 4194304, which 2 deflated bytes cannot make"],
        ),
        case("entries that share their data", archive(&overlapping), &["where something else begins at 0"]),
        case("30,000 entries", archive(&many), &["30000 members, at most 10000 are allowed"]),
        case(
            "65,535 entries that are not there",
            archive_with(&[manifest()], |end| (end[0], end[1]) = (0xffff, 0xffff)),
            &["65535 members, at most 10000 are allowed"],
        ),
        case(
            "a directory of 4 GB",
            archive_with(&[manifest()], |end| end[2] = 0xffff_fff0),
            &["a directory of 4294967280 bytes"],
        ),
        case("a folder in a folder, 100 deep", named(&deep), &["longer than 180 bytes"]),
        case("65 signatures", signatures(65, 1), &["65 signatures, at most 64 are read"]),
        case(
            "a signature of a megabyte",
            signatures(1, 1 << 20),
            &["signatures/0.minisig is larger than the 4096 bytes"],
        ),
        case(
            "an archive in an archive",
            archive(&[Entry::new("inner.zip", &with(manifest()))]),
            &["member manifest.json is missing"],
        ),
    ]
}

/// Archives in which two programs could see different files.
fn ambiguities() -> Vec<Case> {
    let renamed = Entry { local_name: b"i386/other".to_vec(), ..Entry::new("i386/first", b"x") };
    let unicode =
        Entry { central_extra: b"\x75\x70\x09\0\x01\0\0\0\0evil".to_vec(), ..Entry::new("i386/a", b"x") };
    let descriptor =
        |behind: &[u8]| Entry { flags: DESCRIPTOR, behind: behind.to_vec(), ..Entry::new("i386/a", b"x") };
    vec![
        case("a name told twice", with(renamed), &["the local header has the name \"i386/other\""]),
        case("a name in an extra field", with(unicode), &["a second size, place or name in its extra field"]),
        case("no descriptor", with(descriptor(b"")), &["0 bytes behind \"i386/a\" for its descriptor"]),
        case(
            "a descriptor that says something else",
            with(descriptor(b"PK\x07\x08\0\0\0\0\x01\0\0\0\x01\0\0\0")),
            &["a descriptor behind \"i386/a\" that says something else"],
        ),
        case(
            "a zip64 field that is cut off",
            with(Entry {
                sizes: [[1, u32::MAX]; 2],
                central_extra: vec![1, 0, 2, 0, 0, 0],
                ..Entry::new("i386/a", b"x")
            }),
            &["zip64 extra field is too short"],
        ),
        case(
            "bytes between entries",
            with(Entry { behind: b"junk".to_vec(), ..Entry::new("i386/a", b"x") }),
            &["4 bytes behind \"i386/a\" that belong to nothing"],
        ),
        case(
            "bytes before",
            [b"PK junk", &named("i386/a")[..]].concat(),
            &["the zip has 7 bytes before its first entry", "copy it again", "build --output NAME.exe"],
        ),
        case("bytes behind", [&named("i386/a")[..], b"junk"].concat(), &["damaged or cut off"]),
        case(
            "two archives",
            [named("i386/a"), named("i386/b")].concat(),
            &["215 bytes before its first entry"],
        ),
        case(
            "an encrypted entry",
            with(Entry { flags: 1, ..Entry::new("i386/a", b"x") }),
            &["\"i386/a\", which is encrypted"],
        ),
        case(
            "another method",
            with(Entry { method: 14, ..Entry::new("i386/a", b"x") }),
            &["packed by method 14"],
        ),
        case(
            "a link",
            with(Entry { made_by: 0x0314, attributes: 0xa1ff_0000, ..Entry::new("i386/a", b"/etc/passwd") }),
            &["a folder, a link or a device"],
        ),
        case(
            "a device",
            with(Entry { made_by: 0x0314, attributes: 0x21ff_0000, ..Entry::new("i386/a", b"") }),
            &["a folder, a link or a device"],
        ),
    ]
}

/// Names that lead elsewhere, or that Windows takes for others.
fn names() -> Vec<Case> {
    [
        ("i386/Ccm.dll:evil", "one of < > :", "another stream of a file"),
        ("C:evil.dll", "one of < > :", "a drive"),
        ("//server/share/evil.dll", "", "a share"),
        ("i386\\..\\..\\evil.dll", "", "the other separator"),
        ("i386/./Ccm.dll", "'.'", "a folder that is itself"),
        ("i386//Ccm.dll", "empty", "a folder without name"),
        ("i386/BASEOB~1.DLL", "short", "a short alias"),
        ("i386/aux", "device name", "a device"),
        ("i386/COM1.dll", "device name", "a device with an ending"),
        ("i386/nul .txt", "device name", "a device with a space"),
        ("i386/Ccm.dll.", "dot or a space", "a dot at the end"),
        ("i386/Ccm.dll ", "dot or a space", "a space at the end"),
        ("i386 /Ccm.dll", "dot or a space", "a folder with a space at the end"),
        ("i386/C\u{441}m.dll", "printable ASCII", "a letter that looks like another"),
        ("i386/\u{202e}lld.mcC", "printable ASCII", "text turned round"),
        ("i386/Ccm\u{301}.dll", "printable ASCII", "an accent on its own"),
        ("i386/\u{ff23}cm.dll", "printable ASCII", "a wide letter"),
        ("i386/Ccm\0.dll", "printable ASCII", "a zero"),
        ("i386/Ccm\n.dll", "printable ASCII", "a line feed"),
        ("i386/Ccm\u{7f}.dll", "printable ASCII", "a control character"),
        ("$NtUninstallQ252717$/receipt.json", "$NtUninstall", "our own records"),
        ("MANIFEST.JSON", "ignoring case", "the manifest again"),
    ]
    .map(|(name, word, what)| case(what, named(name), &[word]))
    .into()
}

/// Cabinets.
fn cabinets() -> Vec<Case> {
    let far = 20 << 20;
    let names: Vec<String> = (0..64).map(|number| format!("signatures/{number}.minisig")).collect();
    let mut deep = vec![("filler", 0, far), ("manifest.json", far, 2)];
    deep.extend((far + 2..).zip(&names).map(|(start, name)| (name.as_str(), start, 1)));
    vec![
        case("goes on in another cabinet", patched_cabinet(30, &[2]), &["parts in another cabinet"]),
        case("continues another cabinet", patched_cabinet(30, &[1]), &["parts in another cabinet"]),
        case("a size that is not its own", patched_cabinet(8, &[0]), &["cut off or has something behind it"]),
        case(
            "folders without data",
            patched_cabinet(26, &[0xff, 0xff]),
            &["data blocks, for which it has no room"],
        ),
        case(
            "files that share their bytes",
            cabinet(2, &[("manifest.json", 0, 2), ("other", 0, 2)]),
            &["begins at byte 0 of a folder where the one before ends at 2"],
        ),
        case(
            "bytes of no file",
            cabinet(9, &[("manifest.json", 0, 2)]),
            &["a folder of 9 bytes whose files end at byte 2"],
        ),
        case(
            "a file beyond its folder",
            cabinet(2, &[("manifest.json", 0, 2), ("other", 2, 9)]),
            &["ends at byte 11 of a folder that is shorter"],
        ),
        case(
            "everything behind 20 MB, each time",
            cabinet((20 << 20) + 66, &deep),
            &["would be unpacked", "pack the bundle again with manifest.json and signatures first"],
        ),
        case(
            "a name that leads elsewhere",
            cabinet(2, &[("manifest.json", 0, 2), ("../evil", 2, 0)]),
            &["'..'"],
        ),
    ]
}

/// Self-extracting bundles: what stands before the zip.
fn programs() -> Vec<Case> {
    let entries = [manifest()];
    let before = |parts: &[&[u8]]| behind(&parts.concat(), &entries);
    let cut = |at: usize| [&patcher()[..at], &archive(&entries)].concat();
    let mut far = small_program();
    far[0x3c..0x40].copy_from_slice(&[0xff; 4]);
    let mut many = small_program();
    many[0x46..0x48].copy_from_slice(&[0xff; 2]);
    let mut huge = small_program();
    huge[0x148..0x150].copy_from_slice(&[0xff; 8]);
    let mut two_ends = before(&[&patcher()]);
    let end = two_ends[two_ends.len() - 22..].to_vec();
    // The first has the second as its comment.
    let comment = two_ends.len() - 2;
    two_ends[comment] = 22;
    two_ends.extend(end);
    let mut wrong = before(&[&patcher()]);
    let position = wrong.len() - 6;
    wrong[position] ^= 1;
    vec![
        case("no headers", cut(2), &["no whole headers of a program"]),
        case("headers that are cut off", cut(0x44), &["no bundle does"]),
        case("headers 4 GB away", behind(&far, &entries), &["no whole headers of a program"]),
        case("65,535 sections", behind(&many, &entries), &["no whole headers of a program"]),
        case("a section beyond the file", behind(&huge, &entries), &["in the program before it"]),
        case("a program that is cut off", before(&[&patcher()[..0x3ff]]), &["an entry at byte 1023"]),
        case(
            "a key ring of 4 GB",
            before(&[&patcher(), &ring("", u32::MAX)]),
            &["a key ring of 4294967295 bytes"],
        ),
        case(
            "a key ring that is longer than it says",
            before(&[&patcher(), &ring("threshold = 1", 12)]),
            &["1 bytes before its first entry"],
        ),
        case(
            "two key rings",
            before(&[&patcher(), &ring("", 0), &ring("", 0)]),
            &["12 bytes before its first entry"],
        ),
        case(
            "something behind the program",
            before(&[&patcher(), b"more"]),
            &["4 bytes before its first entry"],
        ),
        case(
            "positions that count from the zip",
            [patcher(), archive(&entries)].concat(),
            &["positions that count from its own beginning at byte 1024", "build --output NAME.exe"],
        ),
        case("a directory elsewhere", wrong, &["the directory is at byte", "its end says at"]),
        case("two ends of a directory", two_ends, &["the mark of a second end behind its end"]),
        case(
            "something behind the zip",
            [before(&[&patcher()]), b"more".to_vec()].concat(),
            &["damaged or cut off"],
        ),
        case(
            "a zip behind another",
            behind(&before(&[&patcher()]), &entries),
            &["bytes before its first entry"],
        ),
    ]
}

#[track_caller]
fn refuses(cases: Vec<Case>) {
    let server = Server::new("i386");
    let before = tree::read(server.root());
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("bundle");
    for Case { what, bytes, words } in cases {
        fs::write(&bundle, bytes).unwrap();
        let keys = workshop().public_key();
        for args in [
            args!["verify", &bundle, "--keys", keys].to_vec(),
            apply_args(&bundle, server.root()),
            extract_args(&bundle, folder.path()),
        ] {
            let run = limited("qfe-patcher", &args);
            assert_eq!(run.status, ExitCode::BundleMalformed.status(), "{what}: {}", run.stderr);
            for word in &words {
                assert!(run.stderr.contains(word), "{what}: {word:?} is not in: {}", run.stderr);
            }
        }
        assert!(tree::read(server.root()) == before, "{what}: the target was touched");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "{what}: something was extracted");
    }
}

fn extract_args(bundle: &Path, folder: &Path) -> Vec<OsString> {
    args!["extract", bundle, "--to", folder.join("to"), "--keys", workshop().public_key()].to_vec()
}

#[test]
fn archives_that_make_much_of_little() {
    refuses(bombs());
}

#[test]
fn archives_in_which_two_programs_see_different_files() {
    refuses(ambiguities());
}

#[test]
fn names_that_lead_elsewhere() {
    refuses(names());
}

#[test]
fn programs_that_carry_something_else() {
    refuses(programs());
}

#[test]
fn cabinets_that_mean_harm() {
    refuses(cabinets());
}

/// The manifest of the sample bundle, changed.
fn changed_manifest(change: impl FnOnce(&mut serde_json::Value)) -> Vec<u8> {
    let mut bundle =
        Container::open(std::io::BufReader::new(fs::File::open(workshop().bundle()).unwrap())).unwrap();
    let bytes = bundle.read(&"manifest.json".parse().unwrap(), 1 << 22).unwrap();
    let mut manifest = serde_json::from_slice(&bytes).unwrap();
    change(&mut manifest);
    let manifest = serde_json::to_vec(&manifest).unwrap();
    assert!(manifest.len() < 4 << 20, "{} bytes", manifest.len());
    archive(&[Entry::new("manifest.json", &manifest)])
}

/// What is shown before anything is believed: roles, variants and files that multiply.
#[test]
fn a_manifest_of_many_roles_variants_and_files_is_looked_at_in_little_time() {
    let bytes = changed_manifest(|manifest| {
        let role = json!({"role": "r", "title": "", "usual": "", "lacks": [], "after": [], "services": [], "programs": [],
            "before": []});
        let mut file = manifest["files"][0].clone();
        file["baselines"] = json!([]);
        let mut install = file["install"][0].clone();
        for number in 0..6000 {
            let mut role = role.clone();
            role["role"] = json!(format!("r{number}"));
            manifest["roles"].as_array_mut().unwrap().push(role);
            file["name"] = json!(format!("f{number}.dll"));
            install["role"] = json!(format!("r{number}"));
            file["install"] = json!([install]);
            manifest["files"].as_array_mut().unwrap().push(file.clone());
        }
        let variant =
            |number: u16| json!({"variant": format!("v{number}"), "title": "v", "languages": [number]});
        manifest["variants"] = (0..64).map(variant).collect();
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bundle");
    fs::write(&path, bytes).unwrap();
    limited("qfe-builder", &args!["inspect", &path]).succeeds();
}

#[test]
fn bundles_that_differ_in_all_that_can_be_many_are_compared_in_little_time() {
    let folder = tempfile::tempdir().unwrap();
    for (place, count) in [("/manual", 15_000), ("/roles", 8_000), ("/files/0/baselines", 15_000)] {
        let sides = ["a", "b"].map(|side| {
            let bytes = changed_manifest(|manifest| {
                let list = manifest.pointer_mut(place).unwrap().as_array_mut().unwrap();
                let mut element = list.first().cloned().unwrap_or(json!({"when": "after", "roles": []}));
                for number in 0..count {
                    let name = json!(format!("{side}{number}"));
                    match place {
                        "/manual" => element["text"] = name,
                        "/roles" => {
                            (element["services"], element["before"], element["programs"]) =
                                (json!([]), json!([]), json!([]));
                            element["role"] = name;
                        }
                        _ => element["name"] = name,
                    }
                    list.push(element.clone());
                }
            });
            let path = folder.path().join(side);
            fs::write(&path, bytes).unwrap();
            path
        });
        limited("qfe-builder", &args!["compare", &sides[0], &sides[1], "--json"]).succeeds();
    }
}

/// A line of its own could say anything, such as who signed.
#[test]
fn no_text_of_a_manifest_speaks_to_the_terminal_or_begins_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bundle");
    for text in ["\u{1b}]0;title\u{7}", "good\nsigned by:   the vendor", "\u{9b}31m", "\u{202e}exe.slor"] {
        let texts = [("/title", text), ("/files/0/baselines/0/name", text), ("/roles/0/before/0", text)];
        for (place, text) in texts {
            fs::write(
                &path,
                changed_manifest(|manifest| *manifest.pointer_mut(place).unwrap() = json!(text)),
            )
            .unwrap();
            let run = limited("qfe-builder", &args!["inspect", &path]).ends(ExitCode::BundleMalformed);
            assert!(run.stderr.contains("is to be one line"), "{}", run.stderr);
            let shown = run.stdout + &run.stderr;
            assert!(
                !shown.contains(['\u{1b}', '\u{9b}', '\u{202e}']) && !shown.contains("\nsigned"),
                "{shown}"
            );
        }
    }
}

/// What a program says of a name is not what a name says to the terminal.
#[cfg(unix)]
#[test]
fn names_of_files_do_not_speak_to_the_terminal() {
    let name = "no\u{1b}[2Jbundle\u{202e}piz.";
    for program in ["qfe-builder", "qfe-patcher"] {
        let arguments = match program {
            "qfe-builder" => args!["inspect", name].to_vec(),
            _ => args!["verify", name, "--keys", workshop().public_key()].to_vec(),
        };
        let run = limited(program, &arguments).ends(ExitCode::BundleUnreadable);
        assert!(run.stderr.contains("no\u{fffd}[2Jbundle\u{fffd}piz."), "{}", run.stderr);
        assert!(!run.stderr.contains(['\u{1b}', '\u{202e}']), "{}", run.stderr);
    }
}
