//! Trees of every kind.

use std::io::{Cursor, Write};

use ::zip::ZipWriter;
use ::zip::write::SimpleFileOptions;

use super::*;

fn archive(names: &[&str]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for name in names {
        if name.ends_with('/') {
            zip.add_directory(*name, SimpleFileOptions::default()).unwrap();
        } else {
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(name.as_bytes()).unwrap();
        }
    }
    zip.finish().unwrap().into_inner()
}

fn names(tree: &Tree) -> Vec<&str> {
    tree.names().map(TargetPath::as_str).collect()
}

fn name(text: &str) -> TargetPath {
    text.parse().unwrap()
}

#[test]
fn a_folder_is_a_tree_and_case_has_no_meaning() {
    let temp = tempfile::tempdir().unwrap();
    fs::create_dir(temp.path().join("Sub")).unwrap();
    fs::write(temp.path().join("CCM.DLL"), b"ccm").unwrap();
    fs::write(temp.path().join("Sub/x.ini"), b"x").unwrap();
    let mut tree = Tree::open(temp.path()).unwrap();
    assert_eq!(names(&tree), ["CCM.DLL", "Sub/x.ini"]);
    assert_eq!(tree.read(&name("Ccm.dll")).unwrap().unwrap(), b"ccm");
    assert_eq!(tree.read(&name("sub/X.INI")).unwrap().unwrap(), b"x");
    assert_eq!(tree.read(&name("absent")).unwrap(), None);
    assert!(tree.shown(&name("ccm.dll")).ends_with("/CCM.DLL"));
}

#[test]
fn a_folder_inside_a_zip_is_found_ignoring_case() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("update.zip");
    fs::write(&path, archive(&["I386/", "I386/Ccm.dll", "Alpha/Ccm.dll", "read.me"])).unwrap();
    assert_eq!(names(&Tree::open(&path).unwrap()), ["Alpha/Ccm.dll", "I386/Ccm.dll", "read.me"]);
    let mut tree = Tree::open(&path.join("i386")).unwrap();
    assert_eq!(names(&tree), ["Ccm.dll"]);
    assert_eq!(tree.read(&name("ccm.dll")).unwrap().unwrap(), b"I386/Ccm.dll");
    assert!(matches!(Tree::open(&path.join("mips")), Err(SourceError::NoFolder { .. })));
}

#[test]
fn one_name_by_case_is_refused() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("update.zip");
    fs::write(&path, archive(&["Ccm.dll", "CCM.dll"])).unwrap();
    assert!(matches!(Tree::open(&path), Err(SourceError::Duplicate { .. })));
    let folder = temp.path().join("folder");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("a"), b"").unwrap();
    fs::write(folder.join("A"), b"").unwrap();
    if fs::read_dir(&folder).unwrap().count() == 2 {
        assert!(matches!(Tree::open(&folder), Err(SourceError::Duplicate { .. })));
    }
}

#[test]
fn what_is_no_archive_is_refused_by_name() {
    let temp = tempfile::tempdir().unwrap();
    for (bytes, word) in [
        (&b"MSCF...."[..], "cannot be read as a cabinet"),
        (b"PK......", "cannot be read as a zip"),
        (b"MZ......", "a program that carries neither"),
        (b"text", "[74, 65, 78, 74]"),
        (b"", "starts with []"),
    ] {
        let path = temp.path().join("Q1.bin");
        fs::write(&path, bytes).unwrap();
        for path in [path.clone(), path.join("i386")] {
            let error = Tree::open(&path).unwrap_err().to_string();
            assert!(error.contains(word) && error.contains("Q1.bin"), "{error}");
        }
    }
    let absent = Tree::open(&temp.path().join("no/such")).unwrap_err();
    assert!(matches!(&absent, SourceError::Absent { path } if path.ends_with("no/such")), "{absent}");
}

#[test]
fn damaged_archives_give_errors_at_every_length() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("update.zip");
    let whole = archive(&["I386/Ccm.dll"]);
    for end in 4..whole.len() {
        fs::write(&path, &whole[..end]).unwrap();
        assert!(Tree::open(&path).is_err(), "cut to {end} bytes");
    }
}

#[test]
fn names_that_no_bundle_can_carry_are_set_apart() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("update.zip");
    fs::write(&path, archive(&["Ccm.dll", "aux.dll", "../x"])).unwrap();
    let tree = Tree::open(&path).unwrap();
    assert_eq!((names(&tree), tree.strays().len()), (vec!["Ccm.dll"], 2));
}

#[cfg(unix)]
#[test]
fn links_are_refused() {
    let temp = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/etc/passwd", temp.path().join("Ccm.dll")).unwrap();
    assert!(matches!(Tree::open(temp.path()), Err(SourceError::NotPlain { .. })));
}
