use super::fixture::{Cells, Key, minimal};
use super::*;
use crate::registry::{BINARY, Change, SZ};

/// The changes, by name.
impl Hive {
    fn set_value(self, key: &RegistryKey, name: &str, value: &RegistryValue) -> Result<Self> {
        self.changed(key, &Change::SetValue(name, value))
    }

    fn remove_value(self, key: &RegistryKey, name: &str) -> Result<Self> {
        self.changed(key, &Change::RemoveValue(name))
    }

    fn remove_key(self, key: &RegistryKey) -> Result<Self> {
        self.changed(key, &Change::RemoveKey)
    }
}

fn key(text: &str) -> RegistryKey {
    text.parse().unwrap()
}

fn setup() -> RegistryKey {
    key(r"HKLM\SOFTWARE\Microsoft\SMS\Setup")
}

/// A hive with two values and keys three deep.
fn small() -> Vec<u8> {
    let hive = Hive::read(minimal(5, "SOFTWARE")).unwrap();
    let hive = hive.set_value(&setup(), "Full Version", &RegistryValue::text("2.00.1239.0000")).unwrap();
    hive.set_value(&setup(), "Type", &RegistryValue::number(1)).unwrap().into_bytes()
}

#[test]
fn lists_of_every_kind_and_both_kinds_of_names_are_read() {
    for list in ["lf", "lh", "li", "ri"] {
        let mut cells = Cells::default();
        let text = cells.value("Text", false, SZ, &RegistryValue::text("hallo").data);
        let inline = cells.value("", true, BINARY, &[1, 2, 3]);
        let values = cells.list(b"", &[text, inline], 4);
        let leaves: Vec<u32> = [("Microsoft", true), ("Ünder", false)]
            .into_iter()
            .map(|(name, is_latin)| cells.key(&Key { name, is_latin, values: (2, values), ..Key::default() }))
            .collect();
        let list = match list {
            "ri" => {
                let lists: Vec<u32> = leaves.iter().map(|leaf| cells.list(b"li", &[*leaf], 4)).collect();
                cells.list(b"ri", &lists, 4)
            }
            "li" => cells.list(b"li", &leaves, 4),
            list => cells.list(list.as_bytes(), &leaves, 8),
        };
        let root = cells.key(&Key { name: "$$$", keys: (2, list), ..Key::default() });
        let hive = Hive::read(cells.hive(root, 3, "")).unwrap();
        for name in [r"HKLM\software\MICROSOFT", r"HKLM\SOFTWARE\Ünder"] {
            assert_eq!(hive.value(&key(name), "TEXT").unwrap(), Some(RegistryValue::text("hallo")));
            let inline = RegistryValue { kind: BINARY, data: vec![1, 2, 3] };
            assert_eq!(hive.value(&key(name), "").unwrap(), Some(inline));
            assert_eq!(hive.value(&key(name), "absent").unwrap(), None);
        }
        assert!(!hive.has_key(&key(r"HKLM\SOFTWARE\Micro")).unwrap());
        assert_eq!(hive.value(&key(r"HKLM\SOFTWARE\Micro\soft"), "").unwrap(), None);
    }
}

#[test]
fn large_data_are_read_from_their_segments_and_given_way_to_small_ones() {
    let data: Vec<u8> = (0..SEGMENT + 100).map(|at| at.to_le_bytes()[0]).collect();
    let mut cells = Cells::default();
    // Windows leaves four bytes at the end of a segment's cell.
    let first = cells.add(&[&data[..SEGMENT], &[0; 4]].concat());
    let last = cells.add(&data[SEGMENT..]);
    let segments = cells.add(&[first.to_le_bytes(), last.to_le_bytes()].concat());
    let big = cells.add(&[b"db\x02\0".as_slice(), &segments.to_le_bytes()].concat());
    let value = cells.value_at("Big", BINARY, data.len(), big);
    let values = cells.list(b"", &[value], 4);
    let microsoft = cells.key(&Key { name: "Microsoft", values: (1, values), ..Key::default() });
    let list = cells.list(b"lh", &[microsoft], 8);
    let root = cells.key(&Key { name: "$$$", keys: (1, list), ..Key::default() });
    let hive = Hive::read(cells.hive(root, 5, "")).unwrap();
    let microsoft = key(r"HKLM\SOFTWARE\Microsoft");
    assert_eq!(hive.value(&microsoft, "big").unwrap(), Some(RegistryValue { kind: BINARY, data }));
    let small = RegistryValue::text("small");
    let hive = hive.set_value(&microsoft, "Big", &small).unwrap();
    assert_eq!(hive.value(&microsoft, "big").unwrap(), Some(small));
    // The first of them is the first that is free: it took the text.
    assert_eq!((hive.range(last), hive.range(segments), hive.range(big)), (None, None, None));
}

#[test]
fn what_is_set_is_read_and_what_is_removed_is_gone() {
    for minor in 3..=6 {
        let mut hive = Hive::read(minimal(minor, r"emRoot\System32\Config\SOFTWARE")).unwrap();
        let values = [
            ("Full Version", RegistryValue::text("2.00.1239.0000")),
            ("Full Version", RegistryValue::text("2.00.1380.1000 and more than fits")),
            ("Full Version", RegistryValue::text("2")),
            ("Full Version", RegistryValue { kind: SZ, data: Vec::new() }),
            ("", RegistryValue::number(7)),
            ("", RegistryValue::text("default")),
            ("Größe €", RegistryValue { kind: 0x1_0000, data: vec![9; SEGMENT] }),
        ];
        for (name, value) in &values {
            hive = hive.set_value(&setup(), name, value).unwrap();
            hive = Hive::read(hive.into_bytes()).unwrap();
            assert_eq!(hive.value(&setup(), name).unwrap().as_ref(), Some(value));
        }
        for name in ["", "Größe €", "absent", "FULL VERSION"] {
            hive = hive.remove_key(&setup()).unwrap().remove_value(&setup(), name).unwrap();
            assert_eq!(hive.value(&setup(), name).unwrap(), None);
        }
        let above = key(r"HKLM\SOFTWARE\Microsoft\SMS");
        hive = hive.remove_key(&above).unwrap();
        assert!(hive.has_key(&setup()).unwrap());
        hive = hive.remove_key(&setup()).unwrap().remove_key(&above).unwrap();
        hive = Hive::read(hive.into_bytes()).unwrap();
        assert!(!hive.has_key(&above).unwrap());
        assert!(hive.has_key(&above.parent().unwrap()).unwrap());
    }
}

#[test]
fn keys_are_listed_in_order_and_many_take_many_bins() {
    let mut hive = Hive::read(minimal(5, "SOFTWARE")).unwrap();
    let name = |number: u32| format!(r"HKLM\SOFTWARE\Key{:03}", number * 7 % 500);
    for number in 0..500 {
        hive = hive.set_value(&key(&name(number)), "Number", &RegistryValue::number(number)).unwrap();
    }
    let hive = Hive::read(hive.into_bytes()).unwrap();
    let names: Vec<_> = hive.children(hive.root().unwrap()).unwrap();
    let names: Vec<_> =
        names.iter().map(|key| hive.key(key.key).unwrap().name().folded().collect::<Vec<_>>()).collect();
    assert!(names.is_sorted());
    for number in 0..500 {
        let value = hive.value(&key(&name(number)), "number").unwrap();
        assert_eq!(value, Some(RegistryValue::number(number)));
    }
    let mut hive = hive;
    for number in 0..500 {
        hive = hive.remove_value(&key(&name(number)), "Number").unwrap();
        hive = hive.remove_key(&key(&name(number))).unwrap();
    }
    assert!(hive.children(hive.root().unwrap()).unwrap().is_empty());
}

#[test]
fn keys_go_into_and_out_of_lists_of_lists() {
    let mut cells = Cells::default();
    let security = cells.security(2);
    let leaves: Vec<u32> = ["Classes", "Microsoft"]
        .into_iter()
        .map(|name| {
            let key = cells.key(&Key { name, is_latin: true, security, ..Key::default() });
            cells.list(b"lf", &[key], 8)
        })
        .collect();
    let list = cells.list(b"ri", &leaves, 4);
    let root = cells.key(&Key { name: "$$$", keys: (2, list), security, ..Key::default() });
    let mut hive = Hive::read(cells.hive(root, 3, "")).unwrap();
    for name in ["Zebra", "Intel", "Acme"] {
        let key = key(&format!(r"HKLM\SOFTWARE\{name}"));
        hive = hive.set_value(&key, "", &RegistryValue::number(1)).unwrap();
    }
    let names = |hive: &Hive| -> Vec<String> {
        let keys = hive.children(hive.root().unwrap()).unwrap();
        keys.iter()
            .map(|key| {
                String::from_utf16(&hive.key(key.key).unwrap().name().folded().collect::<Vec<_>>()).unwrap()
            })
            .collect()
    };
    assert_eq!(names(&hive), ["ACME", "CLASSES", "INTEL", "MICROSOFT", "ZEBRA"]);
    for name in ["Acme", "Classes", "Intel", "Zebra"] {
        let key = key(&format!(r"HKLM\SOFTWARE\{name}"));
        hive = hive.remove_value(&key, "").unwrap().remove_key(&key).unwrap();
    }
    assert_eq!(names(&hive), ["MICROSOFT"]);
}

#[test]
fn the_part_is_told_by_contents_then_by_path() {
    let mut cells = Cells::default();
    let current = cells.value("Current", true, DWORD, &[3, 0, 0, 0]);
    let values = cells.list(b"", &[current], 4);
    let value = cells.value("Start", true, DWORD, &[2, 0, 0, 0]);
    let set_values = cells.list(b"", &[value], 4);
    let keys = [("ControlSet003", set_values), ("Select", values)];
    let keys = keys
        .map(|(name, list)| cells.key(&Key { name, is_latin: true, values: (1, list), ..Key::default() }));
    let list = cells.list(b"lh", &keys, 8);
    let root = cells.key(&Key { name: "$$$", keys: (2, list), ..Key::default() });
    let hive = Hive::read(cells.hive(root, 5, "SOFTWARE")).unwrap();
    let value = hive.value(&key(r"HKLM\System\CurrentControlSet"), "Start").unwrap();
    assert_eq!(value, Some(RegistryValue::number(2)));
    let error = hive.has_key(&key(r"HKLM\SOFTWARE\Microsoft")).unwrap_err();
    assert!(matches!(*error, BadFile::Elsewhere { part: "SYSTEM", .. }));
    assert_eq!(*Hive::read(minimal(5, r"C:\ntuser.dat")).unwrap_err(), BadFile::UnknownPart);
    assert!(Hive::read(minimal(5, r"emRoot\System32\Config\system")).is_ok());
}

#[test]
fn what_cannot_be_written_is_refused() {
    let hive = Hive::read(small()).unwrap();
    let error = hive.clone().set_value(&key(r"HKLM\SOFTWARE\Größe"), "", &RegistryValue::number(1));
    assert!(matches!(*error.unwrap_err(), BadFile::Unwritable { .. }));
    let value = RegistryValue { kind: BINARY, data: vec![0; SEGMENT + 1] };
    let error = hive.clone().set_value(&setup(), "", &value);
    assert!(matches!(*error.unwrap_err(), BadFile::Full { size, limit: SEGMENT, .. } if size == SEGMENT + 1));
    let root = hive.clone().remove_key(&key(r"HKLM\SOFTWARE")).unwrap();
    assert_eq!(root.into_bytes(), hive.into_bytes());
}

#[test]
fn damage_to_the_base_block_is_named() {
    let damage = |at: usize, byte: u8, is_summed: bool| {
        let mut bytes = small();
        bytes[at] ^= byte;
        if is_summed {
            let sum = checksum(&bytes);
            bytes[508..512].copy_from_slice(&sum.to_le_bytes());
        }
        *Hive::read(bytes).unwrap_err()
    };
    assert!(matches!(damage(4, 1, false), BadFile::Checksum { .. }));
    assert_eq!(damage(4, 1, true), BadFile::Dirty { primary: 2, secondary: 3 });
    assert_eq!(damage(24, 7, true), BadFile::Version { major: 1, minor: 2 });
    assert!(matches!(damage(42, 1, true), BadFile::Truncated { .. }));
    assert!(matches!(damage(BASE, 1, false), BadFile::Damaged { at: 0, .. }));
}

#[test]
fn no_hive_that_is_cut_off_or_has_a_byte_changed_is_trouble() {
    let whole = small();
    for length in 0..whole.len() {
        assert!(Hive::read(whole[..length].to_vec()).is_err());
    }
    for at in 0..whole.len() {
        for bits in [0x01, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] ^= bits;
            let sum = checksum(&bytes);
            bytes[508..512].copy_from_slice(&sum.to_le_bytes());
            let Ok(hive) = Hive::read(bytes) else { continue };
            // Whatever they say.
            drop(hive.value(&setup(), "Type"));
            let deeper = key(r"HKLM\SOFTWARE\Microsoft\SMS\Setup\New");
            drop(hive.clone().set_value(&deeper, "Text", &RegistryValue::text("quite a long text")));
            let removed = hive.remove_value(&setup(), "Type");
            let removed = removed.and_then(|hive| hive.remove_value(&setup(), "Full Version"));
            drop(removed.and_then(|hive| hive.remove_key(&setup())));
        }
    }
}
