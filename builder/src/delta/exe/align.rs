//! Alignment: which stretches of the new file are like which of the old one.
//!
//! Both files are cut into items without the targets of their references. A cheapest path is sought through the table
//! of new against old items, of which only a few diagonals are followed at a time: those on which items agree, and those
//! on which the next items have been found in an index of the old file. Costs are estimates of what the model will
//! need, in hundredths of a bit. The path is sought twice: with the first, it is known where most targets went, so that the
//! second prefers places whose references agree. A reference that disagrees tells twins apart, such as two functions with
//! the same code.

mod index;
mod path;

use qfe_delta::file::File;
use qfe_delta::isa::Reference;
use qfe_delta::source::Segment;

use index::Index;
use path::{Path, Units};

/// Segments of at least this many bytes tell where targets went.
const TELLING: u32 = 16;

/// An item of a file, as far as alignment is concerned.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unit {
    at: u32,
    /// Of all but targets.
    hash: u32,
    /// The target of its first reference.
    target: u32,
    len: u8,
    reference: Option<Reference>,
}

/// Aligns two files.
pub(super) fn align(old: &File<'_>, new: &File<'_>) -> Vec<Segment> {
    let (old_units, new_units) = (units(old), units(new));
    let index = Index::new(&old_units);
    let units = Units { old, new, old_units: &old_units, new_units: &new_units };
    let first = Path::find(units, &index, &[]);
    let moved = moved(old, new, &old_units, first);
    Path::find(units, &index, &moved)
}

/// Cuts a file into units.
fn units(file: &File<'_>) -> Vec<Unit> {
    let mut units = Vec::new();
    for region in &file.regions {
        let mut at = region.start;
        while at < region.end {
            let item = file.item(at, region);
            let field = item.fields().next();
            let target = field.map(|field| file.target(at + u32::from(field.at), field.reference, region).0);
            units.push(Unit {
                at,
                hash: item.hash(&item.body(file.bytes, at)),
                target: target.unwrap_or(0),
                len: item.len,
                reference: field.map(|field| field.reference),
            });
            at += item.size();
        }
    }
    units
}

/// Where the target of an old unit went, and how sure that is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moved {
    target: Option<u32>,
    /// What it costs if the reference leads elsewhere.
    penalty: i64,
}

/// Finds out where the targets of old units went.
fn moved(old: &File<'_>, new: &File<'_>, units: &[Unit], mut segments: Vec<Segment>) -> Vec<Moved> {
    segments.retain(|segment| segment.new_end - segment.new_start >= TELLING);
    segments.sort_by_key(|segment| segment.old_start);
    let unknown = Moved { target: None, penalty: 200 };
    let find = |unit: &Unit| {
        unit.reference?;
        let offset = old.image.as_ref()?.offset(qfe_delta::image::Rva(unit.target))?;
        let before = segments.partition_point(|segment| segment.old_start <= offset).checked_sub(1)?;
        let segment = segments.get(before)?;
        let (into, len) = (offset - segment.old_start, segment.new_end - segment.new_start);
        let address = new.image.as_ref()?.address(segment.new_start + into).filter(|_| into < len)?;
        Some(Moved { target: Some(address.0), penalty: 900 })
    };
    units.iter().map(|unit| find(unit).unwrap_or(unknown)).collect()
}
