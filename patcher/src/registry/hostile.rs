//! Files made to take long, fill the memory or lead in circles: what takes more than a few passes would not end here.

use super::export::Export;
use super::hive::Hive;
use super::hive::fixture::{Cells, Key};
use super::{BINARY, BadFile, Change, RegistryKey, RegistryValue, Result};

/// Size of the exports, in bytes: quadratic work over as many would not end. Under Wine, where tests are not optimised, the
/// same code reads fewer.
const LARGE: usize = if cfg!(windows) { 256 << 10 } else { 4 << 20 };
/// Keys, and as many values, of one key.
const MANY: usize = LARGE / 8;
/// Most entries of a list.
const MOST: usize = 65535;

fn key(text: &str) -> RegistryKey {
    text.parse().unwrap()
}

fn export(lines: &str) -> Result<Export> {
    let header = "REGEDIT4\n";
    Export::read([header, &lines.repeat(LARGE / lines.len())].concat().as_bytes())
}

/// Looks at a key and its value, and makes every change there is.
fn look_and_change(mut export: Export) {
    let x = key(r"HKLM\SOFTWARE\x");
    export.has_key(&x).unwrap();
    export.value(&x, "Type").unwrap();
    export.change(&x, &Change::RemoveValue("Type")).unwrap();
    assert_eq!(export.value(&x, "Type"), Ok(None));
    let value = RegistryValue::number(2);
    export.change(&x, &Change::SetValue("Type", &value)).unwrap();
    assert_eq!(export.value(&x, "type"), Ok(Some(value)));
    export.change(&x, &Change::RemoveValue("Type")).unwrap();
    export.change(&x, &Change::RemoveKey).unwrap();
    assert_eq!(export.value(&x, "Type"), Ok(None));
}

#[test]
fn large_exports_of_one_line_over_and_over_are_read_and_changed() {
    let x = "[HKEY_LOCAL_MACHINE\\SOFTWARE\\x]\n";
    for lines in [
        "[-HKLM\\SOFTWARE\\x]\n",
        "[HKLM\\SOFTWARE\\x]\n",
        "[HKLM\\SOFTWARE\\x]\n\"Type\"=-\n\n",
        "[HKLM\\SOFTWARE\\x]\n\"Type\"=dword:1\n[-HKLM\\SOFTWARE]\n",
        "[HKLM\\SOFTWARE\\x\\y]\n[-HKLM\\SOFTWARE\\x\\y]\n",
        "@=-\n",
        "\n",
        " \r\n",
        ";\n",
    ] {
        look_and_change(export(lines).unwrap());
        look_and_change(export(&[x, &lines.repeat(100)].concat()).unwrap());
    }
}

#[test]
fn large_exports_of_one_line_are_read_and_changed() {
    let x = "[HKLM\\SOFTWARE\\x]\n";
    for (start, part, end) in [
        ("\"Type\"=hex:", "01,\\\n", "\n"),
        ("\"Type\"=hex:", "\\\n", "\n"),
        ("\"Type\"=hex(7):", "00,", "00"),
        ("\"Type\"=\"", "\\\\", "\"\n"),
        ("\"Type\"=\"", "[\n", "\"\n"),
        ("\"", "\\\"", "\"=-\n"),
        ("[HKLM", "\\", "]\n"),
        ("[HKLM\\SOFTWARE\\x", "\\y", "]\n"),
        ("[-HKLM\\SOFTWARE\\x", "\\y", "]\n"),
        ("[", "]", "\n"),
        ("", " ", "\"Type\"=-"),
        ("; ", "[", ""),
    ] {
        let text = ["REGEDIT4\n", x, start, &part.repeat(LARGE / part.len()), end].concat();
        look_and_change(Export::read(text.as_bytes()).unwrap());
    }
}

#[test]
fn a_key_with_many_keys_and_values_is_not_empty_before_all_are_taken_back() {
    let x = key(r"HKLM\SOFTWARE\x");
    let mut text = "REGEDIT4\n".to_owned();
    for number in 0..MANY {
        text += &format!("[HKLM\\SOFTWARE\\x\\{number}]\n");
    }
    text += "[HKLM\\SOFTWARE\\x]\n";
    for number in 0..MANY {
        text += &format!("\"{number}\"=-\n");
    }
    let mut export = Export::read(text.as_bytes()).unwrap();
    export.change(&x, &Change::RemoveKey).unwrap();
    assert_eq!(export.to_bytes(), text.as_bytes());
    for number in (0..MANY).rev() {
        text += &format!("[-HKLM\\SOFTWARE\\x\\{number}]\n");
    }
    let mut export = Export::read(text.as_bytes()).unwrap();
    export.change(&x, &Change::RemoveKey).unwrap();
    assert_eq!(export.has_key(&x), Ok(false));
}

#[test]
fn errors_at_the_end_of_large_exports_name_the_line() {
    for (lines, wanted) in [("\n", "[key]"), ("@=-\n", "[key]"), ("@=\"\n\"\n", "[key]")] {
        let count = LARGE / lines.len();
        let text = ["REGEDIT4\n", &lines.repeat(count), "x"].concat();
        let error = Export::read(text.as_bytes()).unwrap_err();
        let number = 1 + text.bytes().filter(|byte| *byte == b'\n').count();
        assert!(matches!(*error, BadFile::Line { line, .. } if line == number), "{error}");
        assert!(error.to_string().contains(wanted), "{error}");
    }
    assert!(Export::read(&vec![b'x'; LARGE]).is_err());
    assert!(Export::read(["REGEDIT4\n\"", &"x".repeat(LARGE)].concat().as_bytes()).is_err());
    assert!(Export::read(["REGEDIT4\n@=", &"x".repeat(LARGE)].concat().as_bytes()).is_err());
}

/// Makes a hive whose root is made of a list and a count of keys.
fn hive(mut cells: Cells, keys: (usize, u32)) -> Result<Hive> {
    let count = u32::try_from(keys.0).unwrap_or(u32::MAX);
    let root = cells.key(&Key { name: "$$$", keys: (count, keys.1), ..Key::default() });
    Hive::read(cells.hive(root, 5, "SOFTWARE"))
}

fn is_damaged<T>(result: Result<T>) -> bool {
    result.is_err_and(|bad| matches!(*bad, BadFile::Damaged { .. }))
}

#[test]
fn lists_that_list_the_same_over_and_over_end() {
    for (signature, width) in [(b"li", 4), (b"lf", 8), (b"lh", 8)] {
        for leaves in [1, 3, MOST] {
            let mut cells = Cells::default();
            let leaf = cells.key(&Key { name: "x", ..Key::default() });
            let list = cells.list(signature, &vec![leaf; MOST], width);
            let lists = cells.list(b"ri", &vec![list; leaves], 4);
            assert!(is_damaged(hive(cells, (leaves * MOST, lists))), "{leaves}");
        }
    }
    // Nothing in all lists but the last.
    let mut cells = Cells::default();
    let leaf = cells.key(&Key { name: "Microsoft", ..Key::default() });
    let (empty, last) = (cells.list(b"li", &[], 4), cells.list(b"lf", &[leaf], 8));
    let lists = cells.list(b"ri", &[vec![empty; MOST - 1], vec![last]].concat(), 4);
    let hive = hive(cells, (1, lists)).unwrap();
    assert_eq!(hive.has_key(&key(r"HKLM\SOFTWARE\Microsoft")), Ok(true));
}

#[test]
fn lists_of_lists_of_lists_are_refused() {
    // The first cell of a hive is at 32.
    for (lists, count) in [(vec![32], 1), (vec![32; MOST], MOST)] {
        let mut cells = Cells::default();
        assert_eq!(cells.list(b"ri", &lists, 4), 32);
        assert!(is_damaged(hive(cells, (count, 32))));
    }
    let mut cells = Cells::default();
    let leaf = cells.key(&Key { name: "x", ..Key::default() });
    let mut list = cells.list(b"li", &[leaf], 4);
    for _ in 0..1000 {
        list = cells.list(b"ri", &[list], 4);
    }
    assert!(is_damaged(hive(cells, (1, list))));
}

#[test]
fn counts_that_nothing_stands_behind_are_refused() {
    for count in [2, MOST, usize::MAX] {
        let mut cells = Cells::default();
        let leaf = cells.key(&Key { name: "x", ..Key::default() });
        let list = cells.list(b"li", &[leaf], 4);
        assert!(is_damaged(hive(cells, (count, list))), "{count}");
    }
    for count in [3, 1 << 30, u32::MAX] {
        let mut cells = Cells::default();
        let value = cells.value("x", true, BINARY, &[]);
        let values = cells.list(b"", &[value], 4);
        let leaf = cells.key(&Key { name: "x", values: (count, values), ..Key::default() });
        let list = cells.list(b"li", &[leaf], 4);
        let hive = hive(cells, (1, list)).unwrap();
        let x = key(r"HKLM\SOFTWARE\x");
        assert!(is_damaged(hive.value(&x, "absent")), "{count}");
        assert!(is_damaged(hive.changed(&x, &Change::RemoveValue("x"))), "{count}");
    }
    // A list that says it has more than its cell.
    let mut cells = Cells::default();
    let list = cells.add(b"lh\xff\xff");
    assert!(is_damaged(hive(cells, (MOST, list))));
}

#[test]
fn keys_that_are_below_themselves_end_where_the_question_does() {
    let mut cells = Cells::default();
    // The list is the second cell, behind the key it lists, of 80 bytes and its size.
    let own = cells.key(&Key { name: "a", keys: (1, 120), ..Key::default() });
    assert_eq!(cells.list(b"lh", &[own], 8), 120);
    let hive = hive(cells, (1, 120)).unwrap();
    let deep = key(&format!("HKLM\\SOFTWARE{}", r"\a".repeat(500)));
    assert_eq!(hive.has_key(&deep), Ok(true));
    assert_eq!(hive.value(&deep, "x"), Ok(None));
    // It holds itself.
    let before = hive.clone().into_bytes();
    let removed = hive.changed(&deep, &Change::RemoveKey).unwrap();
    assert_eq!(removed.into_bytes(), before);
}

#[test]
fn data_of_the_same_segment_over_and_over_are_as_long_as_the_file_at_most() {
    for (size, is_read) in [(20_000, true), (60_000, true), (70_000_000, false), (0x7fff_ffff, false)] {
        let mut cells = Cells::default();
        let segment = cells.add(&[7; 1000]);
        let segments = cells.list(b"", &vec![segment; MOST], 4);
        let big = cells.add(&[b"db\xff\xff".as_slice(), &segments.to_le_bytes()].concat());
        let value = cells.value_at("x", BINARY, size, big);
        let values = cells.list(b"", &[value], 4);
        let leaf = cells.key(&Key { name: "x", values: (1, values), ..Key::default() });
        let list = cells.list(b"li", &[leaf], 4);
        let hive = hive(cells, (1, list)).unwrap();
        let x = key(r"HKLM\SOFTWARE\x");
        match hive.value(&x, "x") {
            Ok(value) => assert_eq!((value.unwrap().data.len(), is_read), (size, true)),
            Err(bad) => assert!(!is_read, "{bad}"),
        }
        // The segment cannot be freed twice.
        assert!(is_damaged(hive.changed(&x, &Change::RemoveValue("x"))));
    }
}

#[test]
fn cells_that_are_two_things_at_once_spoil_no_file() {
    let makes = |security: u32, values: u32, place: u32| {
        let mut cells = Cells::default();
        cells.security(2);
        let own = cells.key(&Key { name: "x", security, values: (1, values), ..Key::default() });
        let value = cells.value_at("x", BINARY, 12, place);
        let list = cells.list(b"", &[value], 4);
        let keys = cells.list(b"lh", &[own], 8);
        (hive(cells, (1, keys)), [own, value, list, keys])
    };
    let (_, [own, value, list, keys]) = makes(0, 0, 0);
    let places = [0, 32, 36, own, own + 4, value, value + 8, list, keys, keys + 8, u32::MAX, 0x7fff_fff8];
    let x = key(r"HKLM\SOFTWARE\x");
    let deeper = key(r"HKLM\SOFTWARE\x\y");
    let (mut refused, mut done) = (0, 0);
    for security in places {
        for values in places {
            for place in places {
                let hive = makes(security, values, place).0.unwrap();
                let (short, long) =
                    (RegistryValue::number(1), RegistryValue::text("longer than there is room"));
                for (at, change) in [
                    (&x, Change::SetValue("x", &short)),
                    (&x, Change::SetValue("x", &long)),
                    (&x, Change::SetValue("z", &long)),
                    (&deeper, Change::SetValue("", &short)),
                    (&x, Change::RemoveValue("x")),
                    (&x, Change::RemoveKey),
                ] {
                    let Ok(changed) = hive.clone().changed(at, &change) else {
                        refused += 1;
                        continue;
                    };
                    done += 1;
                    let changed = Hive::read(changed.into_bytes()).unwrap();
                    match change {
                        Change::SetValue(name, value) => {
                            assert_eq!(changed.value(at, name), Ok(Some(value.clone())));
                        }
                        Change::RemoveValue(name) => assert_eq!(changed.value(at, name), Ok(None)),
                        Change::RemoveKey => {}
                    }
                }
            }
        }
    }
    assert!(refused > 0 && done > 0, "{refused} {done}");
}
