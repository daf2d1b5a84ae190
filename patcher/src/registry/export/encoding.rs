//! The encodings of exports, as UTF-16 units and back without loss.

use crate::registry::{BadFile, Result};

/// How the text of a file is encoded, and whether a mark at its start says so: the mark is part of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf16Le,
    Utf16Be,
    Utf8,
    Windows1252,
}

/// What Windows-1252 has for the bytes from 0x80 to 0x9f; where it has nothing, Windows takes the control character.
const WINDOWS_1252: [u16; 32] = [
    0x20ac, 0x81, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160, 0x2039, 0x0152,
    0x8d, 0x017d, 0x8f, 0x90, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x02dc, 0x2122, 0x0161,
    0x203a, 0x0153, 0x9d, 0x017e, 0x0178,
];

/// The mark at the start of a text.
pub(super) const MARK: u16 = 0xfeff;

/// Tells the encoding by the first bytes, and decodes.
pub(super) fn decode(bytes: &[u8]) -> Result<(Encoding, Vec<u16>)> {
    let encoding = match bytes {
        [0xff, 0xfe, ..] => Encoding::Utf16Le,
        [0xfe, 0xff, ..] => Encoding::Utf16Be,
        _ if bytes.trim_ascii_start().starts_with(b"REGEDIT4") => Encoding::Windows1252,
        _ => Encoding::Utf8,
    };
    match encoding.decode(bytes) {
        Ok(text) => Ok((encoding, text)),
        Err(offset) => Err(Box::new(BadFile::Line {
            line: 1 + bytes.iter().take(offset).filter(|byte| **byte == b'\n').count(),
            found: format!("the byte {:#04x} at {offset}", bytes.get(offset).copied().unwrap_or_default()),
            wanted: encoding.name(),
        })),
    }
}

impl Encoding {
    /// Decodes; fails with the offset of a byte that it does not have.
    fn decode(self, bytes: &[u8]) -> std::result::Result<Vec<u16>, usize> {
        let unit = match self {
            Self::Utf16Le => u16::from_le_bytes,
            Self::Utf16Be => u16::from_be_bytes,
            Self::Utf8 => {
                let text = std::str::from_utf8(bytes).map_err(|error| error.valid_up_to())?;
                return Ok(text.encode_utf16().collect());
            }
            Self::Windows1252 => return Ok(bytes.iter().map(|byte| wide(*byte)).collect()),
        };
        let (pairs, rest) = bytes.as_chunks::<2>();
        if rest.is_empty() {
            Ok(pairs.iter().map(|pair| unit(*pair)).collect())
        } else {
            Err(bytes.len() - 1)
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Utf16Le | Self::Utf16Be => "UTF-16",
            Self::Utf8 => "UTF-8",
            Self::Windows1252 => "Windows-1252",
        }
    }

    /// Tells whether it has every character of a text.
    pub(super) fn has(self, text: &str) -> bool {
        self != Self::Windows1252 || text.encode_utf16().all(|unit| byte(unit).is_some())
    }

    /// Encodes a text that was decoded, edited only by what the encoding has.
    pub(super) fn encode(self, text: &[u16]) -> Vec<u8> {
        match self {
            Self::Utf16Le => text.iter().flat_map(|unit| unit.to_le_bytes()).collect(),
            Self::Utf16Be => text.iter().flat_map(|unit| unit.to_be_bytes()).collect(),
            Self::Utf8 => String::from_utf16_lossy(text).into_bytes(),
            Self::Windows1252 => text.iter().map(|unit| byte(*unit).unwrap_or(b'?')).collect(),
        }
    }
}

/// Returns the unit for a byte of Windows-1252.
pub(super) fn wide(byte: u8) -> u16 {
    let special = byte.checked_sub(0x80).and_then(|at| WINDOWS_1252.get(usize::from(at)));
    special.copied().unwrap_or(u16::from(byte))
}

/// Returns the byte of Windows-1252 for a unit.
fn byte(unit: u16) -> Option<u8> {
    match u8::try_from(unit) {
        Ok(byte) if wide(byte) == unit => Some(byte),
        _ => (0x80..=0x9f).find(|byte| wide(*byte) == unit),
    }
}

/// Turns UTF-16 into Windows-1252, as version 4 writes texts in hexadecimal; none where that has no such character.
pub(super) fn narrow(data: &[u8]) -> Option<Vec<u8>> {
    let (pairs, rest) = data.as_chunks::<2>();
    let bytes = pairs.iter().map(|pair| byte(u16::from_le_bytes(*pair))).collect();
    if rest.is_empty() { bytes } else { None }
}
