//! The resource section: one `VS_VERSION_INFO`, as the Win32 documentation lays it out.
//!
//! Its strings name a sample, not the product's maker: nobody may take a stand-in for the real file.

use qfe_patcher::version::FileVersion;

use crate::bytes::{Bytes, count};
use crate::pe::Kind;

/// `RT_VERSION`.
const VERSION: u32 = 16;
/// English (United States).
const LANGUAGE: u16 = 0x0409;
/// UTF-16.
const CODE_PAGE: u16 = 1200;

/// The resource section, to lie at `rva`.
pub(crate) fn section(name: &str, version: FileVersion, kind: Kind, rva: u32) -> Bytes {
    let info = version_info(name, version, kind);
    let mut bytes = Bytes::new();
    // Three directories, type, name and language, of one entry each, then the leaf.
    let levels = [(VERSION, 0x8000_0018), (1, 0x8000_0030), (u32::from(LANGUAGE), 0x48)];
    for (id, next) in levels {
        for field in [0, 0, 0, 0x0001_0000, id, next] {
            bytes.u32(field);
        }
    }
    let leaf = bytes.len() + 16;
    for field in [rva + leaf, info.len(), 0, 0] {
        bytes.u32(field);
    }
    bytes.put(info.as_slice());
    bytes
}

fn version_info(name: &str, version: FileVersion, kind: Kind) -> Bytes {
    let stem = name.split('.').next().unwrap_or(name);
    let number = version.to_string();
    let strings = [
        ("CompanyName", "qfe sample"),
        ("FileDescription", &format!("Stand-in for {name}, generated")),
        ("FileVersion", &number),
        ("InternalName", stem),
        ("OriginalFilename", name),
        ("ProductName", "qfe sample payloads"),
        ("ProductVersion", &number),
    ];
    let mut table = Block::new("040904B0", Form::Text, 0);
    for (key, value) in strings {
        let units: Vec<u16> = value.encode_utf16().chain([0]).collect();
        let mut string = Block::new(key, Form::Text, count(&units));
        units.into_iter().for_each(|unit| string.bytes.u16(unit));
        table.add(string);
    }
    let mut string_info = Block::new("StringFileInfo", Form::Text, 0);
    string_info.add(table);

    let mut translation = Block::new("Translation", Form::Binary, 4);
    translation.bytes.u16(LANGUAGE);
    translation.bytes.u16(CODE_PAGE);
    let mut var_info = Block::new("VarFileInfo", Form::Text, 0);
    var_info.add(translation);

    let mut root = Block::new("VS_VERSION_INFO", Form::Binary, 52);
    let [a, b, c, d] = version.0.map(u32::from);
    let (high, low) = (a << 16 | b, c << 16 | d);
    let file_type = match kind {
        Kind::Executable => 1,
        Kind::Library => 2,
    };
    // VS_FIXEDFILEINFO: signature, structure version, file version, product version, flag mask, flags,
    // system (Windows NT, 32-bit), type, subtype, date.
    for field in [0xfeef_04bd, 0x0001_0000, high, low, high, low, 0x3f, 0, 0x0004_0004, file_type, 0, 0, 0] {
        root.bytes.u32(field);
    }
    root.add(string_info);
    root.add(var_info);
    root.finish()
}

#[derive(Debug, Clone, Copy)]
enum Form {
    Binary,
    Text,
}

/// One block of the version structure: length, length of the value, form, key, value, children; each part on
/// a multiple of four.
#[derive(Debug)]
struct Block {
    bytes: Bytes,
}

impl Block {
    /// `value` is the value's length: in bytes for binary ones, in UTF-16 units for text.
    fn new(key: &str, form: Form, value: u32) -> Self {
        let mut bytes = Bytes::new();
        bytes.u16(0);
        bytes.u16(u16::try_from(value).expect("version strings are short"));
        bytes.u16(match form {
            Form::Binary => 0,
            Form::Text => 1,
        });
        key.encode_utf16().chain([0]).for_each(|unit| bytes.u16(unit));
        bytes.align(4);
        Self { bytes }
    }

    fn add(&mut self, child: Self) {
        self.bytes.align(4);
        let child = child.finish();
        self.bytes.put(child.as_slice());
    }

    fn finish(mut self) -> Bytes {
        let length = u16::try_from(self.bytes.len()).expect("version strings are short");
        self.bytes.set_u16(0, length);
        self.bytes
    }
}
