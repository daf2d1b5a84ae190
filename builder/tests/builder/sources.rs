//! Payloads and baselines as they come: cabinets of every kind, programs that carry an archive, one in another.

use std::fs;
use std::path::Path;
use std::process::Command;

use qfe_builder::sources::{SourceError, Tree};
use qfe_patcher::platform::Platform;

use crate::archives::{Folder, Packing, Place, cabinet, program, zip};
use crate::fixture::{Fixture, exit_status, noise};
use crate::pe;

const PACKINGS: [Packing; 3] = [Packing::Stored, Packing::MsZip, Packing::Lzx];

/// Code in which the same functions are called again and again, longer than two blocks.
fn code() -> Vec<u8> {
    let mut code = Vec::new();
    while code.len() < 80_000 {
        let at = i64::try_from(code.len()).unwrap();
        for target in [70_000, 0x40, at + 400_000, at - 400_000] {
            code.extend(b"\x55\x8b\xec\xe8");
            code.extend(i32::try_from(target - at - 8).unwrap().to_le_bytes());
            code.extend(noise(code.len() % 5, 3));
        }
    }
    code
}

fn name(text: &str) -> qfe_patcher::target_path::TargetPath {
    text.parse().unwrap()
}

/// Writes an archive into a file and opens a folder of it.
fn open(folder: &Path, archive: &[u8], inner: &str) -> Result<Tree, SourceError> {
    let path = folder.join("update.bin");
    fs::write(&path, archive).unwrap();
    Tree::open(&path.join(inner))
}

fn opened(archive: &[u8], inner: &str) -> Result<Tree, SourceError> {
    open(tempfile::tempdir().unwrap().path(), archive, inner)
}

fn refused(archive: &[u8], inner: &str) -> String {
    opened(archive, inner).map(|tree| tree.names().count()).unwrap_err().to_string()
}

fn names(tree: &Tree) -> Vec<&str> {
    tree.names().map(|name| name.as_str()).collect()
}

#[test]
fn cabinets_of_every_packing_and_of_several_folders_are_read() {
    let (code, zeros) = (code(), vec![0; 100_000]);
    for reserved in [0, 20] {
        let mut folders: Vec<Folder<'_>> = Vec::new();
        let files: Vec<[(String, &[u8]); 3]> = PACKINGS
            .iter()
            .map(|packing| {
                let named = |name: &str| format!("I386\\{packing:?}\\{name}");
                [(named("Code.dll"), &code[..]), (named("empty"), b""), (named("zeros"), &zeros)]
            })
            .collect();
        let files: Vec<Vec<(&str, &[u8])>> = files
            .iter()
            .map(|files| files.iter().map(|(name, bytes)| (name.as_str(), *bytes)).collect())
            .collect();
        folders.extend(PACKINGS.into_iter().zip(files.iter().map(Vec::as_slice)));
        let archive = cabinet(&folders, reserved);
        let temp = tempfile::tempdir().unwrap();
        let mut tree = open(temp.path(), &archive, "i386").unwrap();
        assert_eq!(names(&tree).len(), 9);
        for packing in PACKINGS {
            // Backwards in the folder, and forwards again.
            for (file, wanted) in
                [("zeros", &zeros[..]), ("CODE.dll", &code), ("empty", b""), ("zeros", &zeros)]
            {
                let read = tree.read(&name(&format!("{packing:?}/{file}"))).unwrap().unwrap();
                assert!(read == wanted, "{packing:?}: {file}, {reserved} bytes reserved");
            }
        }
        drop(tree);
        fs::create_dir(temp.path().join("into")).unwrap();
        peer("cabextract", &["-q", "-d", "into", "update.bin"], temp.path(), |folder| {
            for (file, wanted) in files.iter().flatten() {
                let read = fs::read(folder.join("into").join(file.replace('\\', "/"))).unwrap();
                assert!(read == *wanted, "cabextract: {file}");
            }
        });
    }
}

/// Runs a tool in a folder, and looks at what it made; says so where it is not there.
fn peer(tool: &str, arguments: &[&str], folder: &Path, check: impl FnOnce(&Path)) {
    match Command::new(tool).args(arguments).current_dir(folder).output() {
        Ok(output) => {
            assert!(output.status.success(), "{tool}: {}", String::from_utf8_lossy(&output.stderr));
            check(folder);
        }
        Err(error) => println!("skipped: {tool} cannot be run ({error})"),
    }
}

#[test]
fn cabinets_by_gcab_and_archives_by_7z_and_zip_are_read() {
    let temp = tempfile::tempdir().unwrap();
    let code = code();
    fs::create_dir(temp.path().join("i386")).unwrap();
    fs::write(temp.path().join("i386/Ccm.dll"), &code).unwrap();
    fs::write(temp.path().join("i386/Compver.ini"), b"[version]\r\n").unwrap();
    let files = ["i386/Ccm.dll", "i386/Compver.ini"];
    for (tool, arguments, made) in [
        ("gcab", &["-c", "stored.cab"][..], "stored.cab"),
        ("gcab", &["-c", "-z", "mszip.cab"], "mszip.cab"),
        ("7z", &["a", "-bd", "by7z.zip"], "by7z.zip"),
        ("zip", &["-q", "by.zip"], "by.zip"),
    ] {
        peer(tool, &[arguments, &files].concat(), temp.path(), |folder| {
            let made = folder.join(made);
            for place in Place::ALL {
                let mut archive = fs::read(&made).unwrap();
                let own = made.with_extension("exe");
                for path in [&made, &own] {
                    let mut tree = Tree::open(&path.join("I386")).unwrap();
                    assert_eq!(names(&tree), ["Ccm.dll", "Compver.ini"], "{}", path.display());
                    assert!(tree.read(&name("Ccm.dll")).unwrap().unwrap() == code, "{}", path.display());
                    archive = program(place, &archive);
                    fs::write(&own, &archive).unwrap();
                }
            }
        });
    }
}

#[test]
fn a_program_stands_for_the_archive_that_it_carries() {
    let files: &[(&str, &[u8])] = &[("i386/Ccm.dll", b"ccm"), ("alpha/Ccm.dll", b"alpha")];
    for place in Place::ALL {
        for archive in [zip(files), cabinet(&[(Packing::MsZip, files)], 0)] {
            for own in
                [program(place, &archive), [program(place, &archive), b"a signature".to_vec()].concat()]
            {
                let mut tree = opened(&own, "alpha").unwrap();
                assert_eq!(tree.read(&name("ccm.dll")).unwrap().unwrap(), b"alpha", "{place:?}");
            }
        }
    }
    // As `zip -A` leaves it: positions count from the program's beginning.
    let program = pe::with_section(*b".text\0\0\0", b"\xc3");
    let mut own = zip::ZipWriter::new_append(std::io::Cursor::new([program, zip(files)].concat())).unwrap();
    own.set_comment("").unwrap();
    let own = own.finish().unwrap().into_inner();
    assert_eq!(names(&opened(&own, "").unwrap()), ["alpha/Ccm.dll", "i386/Ccm.dll"]);
}

#[test]
fn cabextract_and_7z_find_the_same_archive_in_a_program() {
    let files: &[(&str, &[u8])] = &[("Ccm.dll", b"ccm")];
    for place in Place::ALL {
        let temp = tempfile::tempdir().unwrap();
        fs::write(temp.path().join("Q1.exe"), program(place, &cabinet(&[(Packing::Lzx, files)], 0))).unwrap();
        peer("cabextract", &["-q", "Q1.exe"], temp.path(), |folder| {
            assert_eq!(fs::read(folder.join("Ccm.dll")).unwrap(), b"ccm", "{place:?}");
        });
        fs::write(temp.path().join("Q2.exe"), program(place, &zip(files))).unwrap();
        if place == Place::Behind {
            peer("7z", &["x", "-bd", "-y", "-tzip", "-oby7z", "Q2.exe"], temp.path(), |folder| {
                assert_eq!(fs::read(folder.join("by7z/Ccm.dll")).unwrap(), b"ccm");
            });
        }
    }
    // Resources are where the format has them: 7z takes the program apart.
    let temp = tempfile::tempdir().unwrap();
    fs::write(temp.path().join("Q1.exe"), program(Place::Resource, &zip(files))).unwrap();
    peer("7z", &["x", "-bd", "-y", "-tPE", "-oparts", "Q1.exe"], temp.path(), |folder| {
        assert!(fs::read(folder.join("parts/.rsrc/RCDATA/CABINET")).unwrap() == zip(files));
    });
}

#[test]
fn which_archive_a_program_carries_is_not_guessed() {
    let (one, two) = (zip(&[("a", b"1")]), cabinet(&[(Packing::Stored, &[("a", b"2")])], 0));
    let own = [program(Place::Resource, &one), two.clone()].concat();
    let message = refused(&own, "");
    assert!(message.contains("several archives: a zip at byte "), "{message}");
    assert!(message.ends_with(&format!("a cabinet at byte {}", own.len() - two.len())), "{message}");
    // An archive in the archive is no second one.
    let nested =
        program(Place::Behind, &cabinet(&[(Packing::Stored, &[("a.zip", &one), ("b.cab", &two)])], 0));
    assert_eq!(names(&opened(&nested, "").unwrap()), ["a.zip", "b.cab"]);
    // Nor is a mark by itself.
    for mark in [&b"MSCF\0\0\0\0"[..], b"PK\x05\x06\0\0\0\0", b"MSCF", &[&b"MSCF"[..], &[0xff; 60]].concat()]
    {
        let own = program(Place::Behind, &[mark, &[0; 64], &two].concat());
        assert_eq!(names(&opened(&own, "").unwrap()), ["a"], "{mark:02x?}");
        assert!(refused(&program(Place::Section, mark), "").contains("neither a cabinet nor a zip"));
    }
}

#[test]
fn one_archive_in_another_is_read_and_no_deeper() {
    let files: &[(&str, &[u8])] = &[("i386/Ccm.dll", b"ccm")];
    let inner = cabinet(&[(Packing::Lzx, files)], 0);
    let own = program(Place::Resource, &inner);
    let outer = zip(&[("Fixes/Q1.EXE", &own), ("Fixes/Q1.cab", &inner), ("read.me", b"text")]);
    for path in ["fixes/q1.exe/I386", "Fixes/Q1.cab/i386"] {
        let mut tree = opened(&outer, path).unwrap();
        assert_eq!(tree.read(&name("Ccm.dll")).unwrap().unwrap(), b"ccm", "{path}");
    }
    assert_eq!(names(&opened(&outer, "fixes/q1.cab").unwrap()), ["i386/Ccm.dll"]);
    let deeper = cabinet(&[(Packing::MsZip, &[("outer.zip", &outer)])], 0);
    let message = refused(&deeper, "outer.zip/fixes/Q1.exe");
    assert!(message.contains("update.bin/outer.zip/Fixes/Q1.EXE is an archive in an archive"), "{message}");
    assert!(refused(&outer, "read.me").contains("update.bin/read.me starts with [74, 65, 78, 74]"));
    let message = refused(&outer, "fixes/q1.exe/alpha");
    assert!(message.contains("update.bin/Fixes/Q1.EXE holds no folder alpha"), "{message}");
    assert!(refused(&outer, "i386").contains("update.bin holds no folder i386"));
}

#[test]
fn what_cabinets_cannot_be_read_for_is_said() {
    let files: &[(&str, &[u8])] = &[("i386\\Ccm.dll", b"ccm")];
    let good = cabinet(&[(Packing::Stored, files)], 0);
    let mut quantum = opened(&cabinet(&[(Packing::Quantum, files)], 0), "i386").unwrap();
    let message = quantum.read(&name("Ccm.dll")).unwrap_err().to_string();
    assert!(
        message.ends_with("i386/Ccm.dll is packed by Quantum: stored, MSZIP or LZX is read"),
        "{message}"
    );

    let mut first = good.clone();
    first[30] = 2;
    first.splice(36..36, *b"second.cab\0disk 2\0");
    let message = refused(&first, "");
    assert!(message.ends_with("begin or end in another one, second.cab"), "{message}");

    for (at, bytes, words) in [
        (8, &[0xff, 0xff][..], "it is cut off"),
        (26, &[0xff, 0], "failed to fill whole buffer"),
        (36 + 4, &[0xff, 0xff], "data blocks, for which"),
        (36 + 6, &[1], "invalid block signature"),
        (36 + 6, &[9], "an unknown method, 9"),
        (44, &[4], "ends at byte 4 of a folder that has 3"),
        (44 + 8, &[1], "is in folder 1, there are 1"),
        (good.len() - 5, &[2], "a stored block of 3 bytes that are to be 2"),
    ] {
        let mut bad = good.clone();
        bad[at..at + bytes.len()].copy_from_slice(bytes);
        let error = opened(&bad, "i386").and_then(|mut tree| tree.read(&name("Ccm.dll"))).unwrap_err();
        let chain: Vec<String> =
            std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source())
                .map(|error| error.to_string().to_lowercase())
                .collect();
        let chain = chain.join(": ");
        assert!(chain.contains(words), "{at}: {chain}");
    }
    let long = cabinet(&[(Packing::Stored, &[(&"x".repeat(300), b"")])], 0);
    assert!(opened(&long, "").is_err());
}

#[test]
fn damage_is_an_error_or_leaves_files_of_the_stated_size() {
    let code = &code()[..40_000];
    for packing in PACKINGS {
        let files: &[(&str, &[u8])] = &[("a", &code[..100]), ("b", code)];
        let good = cabinet(&[(packing, files)], 4);
        let step = good.len() / 200 + 1;
        for end in (4..good.len()).step_by(step) {
            assert!(opened(&good[..end], "").is_err(), "{packing:?} cut to {end}");
            assert!(opened(&program(Place::Behind, &good[..end]), "").is_err(), "{packing:?} cut to {end}");
        }
        for at in (0..140).chain((140..good.len()).step_by(step)) {
            let mut bad = good.clone();
            bad[at] ^= 0x41;
            let Ok(mut tree) = opened(&bad, "") else { continue };
            for file in ["a", "b"] {
                if let Ok(Some(read)) = tree.read(&name(file)) {
                    assert!(read.len() <= 0x1_0000, "{packing:?}: {} bytes", read.len());
                }
            }
        }
    }
}

fn borrowed(files: &[(String, Vec<u8>)]) -> Vec<(&str, &[u8])> {
    files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect()
}

/// Every kind of input gives the bundle that folders give, to the byte.
#[test]
fn what_an_update_comes_in_makes_no_difference() {
    let fixture = Fixture::new();
    fixture.build("folders.zip", &[]);
    let wanted = fixture.get("folders.zip");
    let trees = |tree: &str| {
        let mut files = Vec::new();
        for platform in Platform::ALL {
            for file in fs::read_dir(fixture.path(&format!("{tree}/{platform}"))).unwrap() {
                let path = file.unwrap().path();
                let name = path.file_name().unwrap().to_str().unwrap();
                files.push((format!("{platform}\\{name}"), fs::read(&path).unwrap()));
            }
        }
        files.sort();
        files
    };
    let recipe = fixture.get("update.toml");
    for packing in PACKINGS {
        let archive = |tree| cabinet(&[(packing, &borrowed(&trees(tree)))], 0);
        fixture.put("update.cab", &archive("update"));
        fixture.put("baseline.exe", &program(Place::Resource, &archive("baseline")));
        fixture.put("baseline.zip", &zip(&borrowed(&trees("baseline"))));
        fixture.put("all.zip", &zip(&[("Q1.exe", &program(Place::Behind, &archive("update")))]));
        fixture.put("update.toml", &recipe);
        fixture.edit("update/i386", "update.cab/i386");
        fixture.edit("update/alpha", "all.zip/Q1.exe/alpha");
        fixture.edit("baseline/i386", "baseline.exe/i386");
        fixture.edit("baseline/alpha", "baseline.zip/Alpha");
        fixture.build("archives.zip", &[]);
        assert!(fixture.get("archives.zip") == wanted, "{packing:?}");
    }
    fixture.put("update.cab", b"MSCF but no more");
    let (status, value) = fixture.json(&["build", "update.toml", "--check", "folders.zip"]);
    assert_eq!(status, exit_status(1619), "{value:#}");
    assert!(value.to_string().contains("update.cab cannot be read as a cabinet"), "{value:#}");
}
