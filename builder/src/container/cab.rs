//! Cabinets (Microsoft Cabinet Format), written through the `cab` crate.
//!
//! Each member has a folder of its own, so that one can be read without unpacking those before it. Folders are
//! MSZIP; names have `\` between components, from which the tools of Windows and `cabextract` make folders.
//!
//! The crate deflates through flate2. With flate2's default, miniz, a block in which all matches have one distance
//! (zeros, a short text) gets a distance code of a single bit: allowed by RFC 1951, 3.2.7, and refused by cabextract
//! 1.9 as a "decompression error". zlib always makes two codes, so this crate turns on flate2's zlib-rs. Its bytes
//! at level 9 depend on no processor feature; a test holds them.

use std::io::{self, Seek, Write};

use ::cab::{CabinetBuilder, CompressionType};
use time::{Date, Month, PrimitiveDateTime, Time};

use super::Contents;

/// Writes the members; see the module's text.
pub(super) fn write<W: Write + Seek>(contents: &Contents, out: W) -> io::Result<W> {
    // The crate's default is the time of the run.
    let day = Date::from_calendar_date(1980, Month::January, 1).map_err(io::Error::other)?;
    let stamp = PrimitiveDateTime::new(day, Time::MIDNIGHT);
    let mut builder = CabinetBuilder::new();
    for (name, bytes) in contents.entries() {
        // MSZIP of nothing is no block at all, which some readers take for damage.
        let method = if bytes.is_empty() { CompressionType::None } else { CompressionType::MsZip };
        builder.add_folder(method).add_file(name.replace('/', "\\")).set_datetime(stamp);
    }
    let mut cabinet = builder.build(out)?;
    let mut entries = contents.entries();
    while let Some(mut file) = cabinet.next_file()? {
        let (_, bytes) = entries.next().ok_or_else(|| io::Error::other("more files than members"))?;
        file.write_all(bytes)?;
    }
    cabinet.finish()
}
