use super::*;
use proptest::prelude::*;

const FIVE: &str = "Windows Registry Editor Version 5.00\r\n\r\n\
    [HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\SMS\\Setup]\r\n\
    ; by hand\r\n\
    @=\"default\"\r\n\
    \"Full Version\"=\"2.00.1239.0000\" ; too old\r\n\
    \"Path \\\"x\\\"\"=\"C:\\\\SMS\\\\\"\r\n\
    \"Type\"=dword:0000000A\r\n\
    \"Two lines\"=\"one\r\n[two]\"\r\n\
    \"Gone\"=-\r\n\
    \"Binary\"=hex:01,02,\\\r\n  FF, \\\r\n  10\r\n\
    \"Empty\"=hex:\r\n\
    \"Text\"=hex(1):61,00,00,00\r\n\
    \"Expanded\"=hex(2):25,00,61,00,\\\r\n  25,00,00,00\r\n\
    \"Odd\"=hex(100000):07,\r\n\
    \r\n\
    [HKEY_CURRENT_USER\\Software]\r\n\
    \"Full Version\"=\"of a user\"\r\n\
    \r\n\
    [HKEY_LOCAL_MACHINE\\SOFTWARE\\Old\\Below]\r\n\
    \"x\"=dword:1\r\n\
    [-HKEY_LOCAL_MACHINE\\SOFTWARE\\Old]\r\n\
    [HKEY_LOCAL_MACHINE\\SOFTWARE\\a]b]\r\n\
    \"x\"=dword:1";

/// The changes, by name.
impl Export {
    fn set(&mut self, key: &RegistryKey, name: &str, value: &RegistryValue) -> Result<()> {
        self.change(key, &Change::SetValue(name, value))
    }

    fn remove(&mut self, key: &RegistryKey, name: &str) -> Result<()> {
        self.change(key, &Change::RemoveValue(name))
    }
}

fn key(text: &str) -> RegistryKey {
    text.parse().unwrap()
}

fn setup() -> RegistryKey {
    key(r"HKLM\SOFTWARE\Microsoft\SMS\Setup")
}

fn in_every_encoding(text: &str) -> Vec<Vec<u8>> {
    let units = || [MARK].into_iter().chain(text.encode_utf16());
    vec![
        text.as_bytes().to_vec(),
        [b"\xef\xbb\xbf", text.as_bytes()].concat(),
        units().flat_map(u16::to_le_bytes).collect(),
        units().flat_map(u16::to_be_bytes).collect(),
    ]
}

use encoding::MARK;

#[test]
fn every_kind_of_line_is_read_in_every_encoding() {
    for bytes in in_every_encoding(FIVE).into_iter().chain(in_every_encoding(&FIVE.replace("\r\n", "\n"))) {
        let export = Export::read(&bytes).unwrap();
        assert_eq!(export.to_bytes(), bytes);
        let value = |name: &str| export.value(&setup(), name).unwrap();
        let raw = |kind, data: &[u8]| Some(RegistryValue { kind, data: data.to_vec() });
        assert_eq!(value(""), Some(RegistryValue::text("default")));
        assert_eq!(value("FULL version"), Some(RegistryValue::text("2.00.1239.0000")));
        assert_eq!(value("Path \"x\""), Some(RegistryValue::text("C:\\SMS\\")));
        assert_eq!(value("Type"), Some(RegistryValue::number(10)));
        let two_lines = value("Two lines").unwrap().as_text().unwrap();
        assert_eq!(two_lines.replace("\r\n", "\n"), "one\n[two]");
        assert_eq!(value("Gone"), None);
        assert_eq!(value("Binary"), raw(BINARY, &[1, 2, 0xff, 0x10]));
        assert_eq!(value("Empty"), raw(BINARY, &[]));
        assert_eq!(value("Text"), Some(RegistryValue::text("a")));
        assert_eq!(value("Expanded"), raw(EXPAND_SZ, b"%\0a\0%\0\0\0"));
        assert_eq!(value("Odd"), raw(0x10_0000, &[7]));
        for (name, is_there) in [
            (r"HKLM\SOFTWARE\microsoft", true),
            (r"HKLM\SOFTWARE\Microsoft\SMS\Setup\x", false),
            (r"HKLM\SOFTWARE\Old\Below", false),
            (r"HKLM\SOFTWARE\Old", false),
            (r"HKLM\SOFTWARE\a]b", true),
            (r"HKLM\SYSTEM", false),
        ] {
            assert_eq!(export.has_key(&key(name)), Ok(is_there), "{name}");
        }
    }
}

#[test]
fn version_4_has_texts_in_windows_1252() {
    let bytes = b"\r\nREGEDIT4 \n[HKEY_LOCAL_MACHINE\\SOFTWARE\\x]\n\"\x80\"=\"gr\xf6\xdfer\x81\"\n\"e\"=hex(2):80,00\n\"b\"=hex:80\n";
    let mut export = Export::read(bytes).unwrap();
    assert_eq!(export.to_bytes(), bytes);
    let x = key(r"HKLM\SOFTWARE\x");
    assert_eq!(export.value(&x, "€").unwrap(), Some(RegistryValue::text("größer\u{81}")));
    let expanded = RegistryValue { kind: EXPAND_SZ, data: RegistryValue::text("€").data };
    assert_eq!(export.value(&x, "e").unwrap(), Some(expanded.clone()));
    assert_eq!(export.value(&x, "b").unwrap().unwrap().data, [0x80]);
    export.set(&x, "e", &expanded).unwrap();
    assert_eq!(export.to_bytes(), bytes);
    for (name, value) in [("Ω", RegistryValue::number(1)), ("o", RegistryValue::text("Ω"))] {
        let error = export.set(&x, name, &value).unwrap_err();
        assert!(error.to_string().starts_with("\"Ω\" cannot be written: wanted is "), "{error}");
    }
    assert!(export.set(&key(r"HKLM\SOFTWARE\Ω"), "", &expanded).is_err());
    assert!(export.set(&x, "line\nline", &expanded).is_err());
    assert_eq!(export.to_bytes(), bytes);
}

#[test]
fn an_edit_keeps_every_other_byte() {
    for bytes in in_every_encoding(FIVE) {
        let mut export = Export::read(&bytes).unwrap();
        let text = |export: &Export| {
            String::from_utf16_lossy(&export.text).trim_start_matches('\u{feff}').to_owned()
        };
        export.set(&setup(), "full version", &RegistryValue::text("2.00.1380.1000")).unwrap();
        let wanted = FIVE.replacen("2.00.1239.0000", "2.00.1380.1000", 1);
        assert_eq!(text(&export), wanted);
        export.set(&setup(), "Full Version", &RegistryValue::text("2.00.1239.0000")).unwrap();
        assert_eq!(export.to_bytes(), bytes);

        export.set(&setup(), "New", &RegistryValue { kind: BINARY, data: vec![1, 0xab] }).unwrap();
        let odd = "\"Odd\"=hex(100000):07,\r\n";
        assert_eq!(text(&export), FIVE.replace(odd, &format!("{odd}\"New\"=hex:01,ab\r\n")));
        export.remove(&setup(), "NEW").unwrap();
        assert_eq!(export.to_bytes(), bytes);
        export.remove(&setup(), "Binary").unwrap();
        assert_eq!(text(&export), FIVE.replace("\"Binary\"=hex:01,02,\\\r\n  FF, \\\r\n  10\r\n", ""));
    }
}

#[test]
fn a_new_section_is_taken_back_without_a_trace_from_the_end_that_regedit_writes() {
    for (before, kept) in [
        ("REGEDIT4\n\n[HKEY_LOCAL_MACHINE\\a]\n\n", "REGEDIT4\n\n[HKEY_LOCAL_MACHINE\\a]\n\n"),
        ("REGEDIT4", "REGEDIT4\r\n\r\n"),
        ("REGEDIT4\n", "REGEDIT4\n\n"),
    ] {
        let mut export = Export::read(before.as_bytes()).unwrap();
        export.set(&setup(), "", &RegistryValue::number(1)).unwrap();
        let end = export.line_end();
        let text = String::from_utf8(export.to_bytes()).unwrap();
        let section = r"[HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\SMS\Setup]";
        assert_eq!(text, format!("{kept}{section}{end}@=dword:00000001{end}{end}"));
        export.remove_key(&setup()).unwrap();
        assert_eq!(export.value(&setup(), "").unwrap(), Some(RegistryValue::number(1)));
        export.remove(&setup(), "").unwrap();
        export.remove_key(&setup()).unwrap();
        assert_eq!(String::from_utf8(export.to_bytes()).unwrap(), kept);
    }
}

#[test]
fn a_later_line_outweighs_an_earlier_one() {
    let a = "[HKEY_LOCAL_MACHINE\\a]\n";
    let text = format!("REGEDIT4\n{a}\"x\"=dword:1\n[-HKEY_LOCAL_MACHINE\\A]\n\"y\"=dword:1\n{a}\"x\"=-\n");
    let mut export = Export::read(text.as_bytes()).unwrap();
    let a = key(r"HKLM\a");
    assert_eq!(export.value(&a, "x").unwrap(), None);
    assert_eq!(export.value(&a, "y").unwrap(), None);
    export.set(&a, "x", &RegistryValue::number(2)).unwrap();
    assert_eq!(export.value(&a, "x").unwrap(), Some(RegistryValue::number(2)));
    assert!(export.to_bytes().ends_with(b"\"x\"=dword:00000002\n"));
    export.remove(&a, "x").unwrap();
    assert_eq!(export.value(&a, "x").unwrap(), None);

    // What is only there by a key below it, which is taken back.
    let text = "REGEDIT4\n[HKLM\\b\\c]\n[-HKLM\\b\\c]\n";
    let mut export = Export::read(text.as_bytes()).unwrap();
    assert!(export.has_key(&key(r"HKLM\b")).unwrap());
    export.remove_key(&key(r"HKLM\b")).unwrap();
    assert!(!export.has_key(&key(r"HKLM\b")).unwrap());
}

#[test]
fn errors_name_the_line_and_what_is_wanted() {
    for (lines, line, wanted) in [
        ("x", 3, "[key]"),
        ("[HKLM\\a", 3, "]"),
        ("\n\"x\" dword:1", 4, "="),
        ("\"x\"=dwrd:1", 3, "dword:"),
        ("\"x\"=dword:g", 3, "hexadecimal"),
        ("\"x\"=dword:123456789", 3, "the end of the line"),
        ("\"x\"=\"a\\b\"", 3, "behind a \\"),
        ("\"x\"=\"a", 3, "\" at the end"),
        ("\"x\"=hex:01,\\ 02", 3, "the end of the line behind"),
        ("\"x\"=hex(x):01", 3, "hex(kind):"),
        ("\"x\"=hex:100", 3, "the end of the line"),
    ] {
        let error = Export::read(format!("REGEDIT4\n\n{lines}\n").as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with(&format!("line {line}: found ")) && error.contains(wanted), "{error}");
    }
    let utf_8 = b"Windows Registry Editor Version 5.00\n;\xff\n";
    let error = Export::read(utf_8).unwrap_err().to_string();
    assert_eq!(error, "line 2: found the byte 0xff at 38, wanted is UTF-8");
    for text in ["", "REGEDIT", "\n[HKLM\\a]", "Windows Registry Editor Version 6.00"] {
        assert!(
            matches!(Export::read(text.as_bytes()), Err(bad) if matches!(*bad, BadFile::Header { .. })),
            "{text:?}"
        );
    }
}

#[test]
fn no_export_that_is_cut_off_or_has_a_byte_changed_is_trouble() {
    for whole in in_every_encoding(FIVE) {
        let changed = (0..whole.len()).flat_map(|at| {
            let whole = &whole;
            [0x01_u8, 0x80, 0xff].map(move |bits| {
                let mut bytes = whole.clone();
                bytes[at] ^= bits;
                bytes
            })
        });
        for bytes in (0..whole.len()).map(|length| whole[..length].to_vec()).chain(changed) {
            let Ok(mut export) = Export::read(&bytes) else { continue };
            assert_eq!(export.to_bytes(), bytes);
            export.set(&setup(), "Type", &RegistryValue::number(2)).unwrap();
            assert_eq!(export.value(&setup(), "Type"), Ok(Some(RegistryValue::number(2))));
            export.remove(&setup(), "Type").unwrap();
            assert_eq!(export.value(&setup(), "Type"), Ok(None));
            export.remove_key(&setup()).unwrap();
        }
    }
}

proptest! {
    #[test]
    fn what_is_set_is_read(name in "[^\\p{C}]{0,20}", kind in 0..9_u32, data: Vec<u8>, is_four: bool) {
        let text = if is_four { "REGEDIT4\r\n" } else { FIVE };
        let mut export = Export::read(text.as_bytes()).unwrap();
        let value = RegistryValue { kind, data };
        match export.set(&setup(), &name, &value) {
            Err(error) => prop_assert!(is_four, "{error}"),
            Ok(()) => {
                let export = Export::read(&export.to_bytes()).unwrap();
                prop_assert_eq!(export.value(&setup(), &name).unwrap(), Some(value));
            }
        }
    }

    #[test]
    fn texts_are_written_as_people_read_them(text in "[^\\p{C}]{0,20}") {
        let mut export = Export::read(FIVE.as_bytes()).unwrap();
        let value = RegistryValue::text(&text);
        export.set(&setup(), "Full Version", &value).unwrap();
        let export = Export::read(&export.to_bytes()).unwrap();
        prop_assert_eq!(export.value(&setup(), "Full Version").unwrap(), Some(value));
        let written = String::from_utf8(export.to_bytes()).unwrap();
        prop_assert!(written.contains(&quoted(&text)), "{}", written);
    }
}
