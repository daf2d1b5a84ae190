//! Self-extracting programs: the one archive that a program carries, wherever its maker put it.
//!
//! | maker | where |
//! |---|---|
//! | IExpress, and the hotfix installers made by it | a cabinet in the resource `RCDATA` `CABINET` |
//! | other Microsoft installers | a cabinet in a section of its own, or behind the program |
//! | WinZip, Info-ZIP, Python's installers | a zip behind the program, or in a section |
//!
//! As cabextract does, the program is searched for the mark of a header rather than taken apart: a header that is whole and
//! agrees with itself is hardly found by chance, and no list of places would have all of them. What lies in another archive
//! that was found is that one's business. Several are refused.

use std::ops::Range;

use super::SourceError;
use super::archive::Kind;

const CABINET: &[u8; 4] = b"MSCF";
const ZIP_END: &[u8; 4] = b"PK\x05\x06";
const ZIP_CENTRAL: &[u8; 4] = b"PK\x01\x02";
const ZIP_LOCAL: &[u8; 4] = b"PK\x03\x04";

/// An archive in a program.
struct Found {
    kind: Kind,
    /// Which bytes it takes.
    place: Range<usize>,
    /// From where its positions count.
    base: usize,
}

/// Returns what a program carries, and its bytes; positions in a zip count from the first, which may be the program's.
pub(super) fn carried(mut program: Vec<u8>, shown: &str) -> Result<(Kind, Vec<u8>), SourceError> {
    let mut found: Vec<Found> = (0..program.len())
        .filter_map(|at| match program.get(at..at + 4)?.first_chunk()? {
            CABINET => cabinet(&program, at),
            ZIP_END => zip(&program, at),
            _ => None,
        })
        .collect();
    // Of two that begin together the longer comes first.
    found.sort_by_key(|found| (found.place.start, usize::MAX - found.place.end));
    let mut end = 0;
    found.retain(|found| {
        let is_inside = found.place.end <= end;
        end = end.max(found.place.end);
        !is_inside
    });
    let path = shown.to_owned();
    match found.as_slice() {
        [] => Err(SourceError::NothingCarried { path }),
        [only] => {
            program.truncate(only.place.end);
            program.drain(..only.base);
            Ok((only.kind, program))
        }
        [first, second, ..] => Err(SourceError::SeveralCarried {
            path,
            first: first.kind.word(),
            first_at: first.place.start,
            second: second.kind.word(),
            second_at: second.place.start,
        }),
    }
}

/// Takes what begins at `at` for a cabinet, if its header (`CFHEADER`) is one: of version 1.3, with folders and files, its
/// reserved fields zero, and its size within the program.
fn cabinet(program: &[u8], at: usize) -> Option<Found> {
    let field = |offset| u32_at(program, at + offset);
    let size = field(8)?;
    let files_at = field(16)?;
    let is_header = [field(4)?, field(12)?, field(20)?] == [0; 3]
        && program.get(at + 24..at + 26)? == b"\x03\x01"
        && u16_at(program, at + 26)? > 0
        && u16_at(program, at + 28)? > 0
        && (36..size).contains(&files_at);
    let place = at..at.checked_add(size)?;
    (is_header && place.end <= program.len()).then_some(Found { kind: Kind::Cab, place, base: at })
}

/// Takes what ends with the mark at `at` for a zip, if a directory of at least one entry lies before it, and that entry's local
/// header where it says, positions counting from the program's beginning or from the archive's.
fn zip(program: &[u8], at: usize) -> Option<Found> {
    let comment = u16_at(program, at + 20)?;
    let end = at.checked_add(22)?.checked_add(comment)?;
    let directory = at.checked_sub(u32_at(program, at + 12)?)?;
    let base = directory.checked_sub(u32_at(program, at + 16)?)?;
    let first = base.checked_add(u32_at(program, directory.checked_add(42)?)?)?;
    let is_zip = end <= program.len()
        && starts(program, directory, ZIP_CENTRAL)
        && starts(program, first, ZIP_LOCAL)
        && first < directory;
    is_zip.then_some(Found { kind: Kind::Zip, place: first..end, base })
}

fn starts(bytes: &[u8], at: usize, mark: &[u8]) -> bool {
    bytes.get(at..).is_some_and(|rest| rest.starts_with(mark))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<usize> {
    bytes.get(at..)?.first_chunk().map(|field| u16::from_le_bytes(*field).into())
}

fn u32_at(bytes: &[u8], at: usize) -> Option<usize> {
    bytes.get(at..)?.first_chunk().and_then(|field| usize::try_from(u32::from_le_bytes(*field)).ok())
}
