//! Alignment: which stretches of the new file are like which of the old one.
//!
//! Both files are cut into items without the targets of their references. A cheapest path is sought through the table
//! of new against old items, of which only a few diagonals are followed at a time: those on which items agree, and those
//! on which the next items have been found in an index of the old file. Costs are estimates of what the model will
//! need, in hundredths of a bit. The path is sought twice: with the first, it is known where most targets went, so that the
//! second prefers places whose references agree; where there are none, the first is all. A reference that disagrees tells
//! twins apart, such as two functions with the same code.

mod index;
mod path;

use qfe_delta::file::File;
use qfe_delta::image::Rva;
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
    if new_units.iter().all(|unit| unit.reference.is_none()) {
        return first;
    }
    let moved = moved(old, new, &old_units, &new_units, first);
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

/// Finds out where the targets of old units went: where the bytes there went, or else where the references to them that are
/// aligned lead now; not everything has bytes.
fn moved(
    old: &File<'_>,
    new: &File<'_>,
    old_units: &[Unit],
    new_units: &[Unit],
    mut segments: Vec<Segment>,
) -> Vec<Moved> {
    segments.retain(|segment| segment.new_end - segment.new_start >= TELLING);
    let votes = votes(old_units, new_units, &segments);
    segments.sort_by_key(|segment| segment.old_start);
    let by_bytes = |target: u32| {
        let offset = old.image.as_ref()?.offset(Rva(target))?;
        let before = segments.partition_point(|segment| segment.old_start <= offset).checked_sub(1)?;
        let segment = segments.get(before)?;
        let (into, len) = (offset - segment.old_start, segment.new_end - segment.new_start);
        let address = new.image.as_ref()?.address(segment.new_start + into).filter(|_| into < len)?;
        Some(Moved { target: Some(address.0), penalty: 900 })
    };
    let by_votes = |target: u32| {
        let place = votes.binary_search_by_key(&target, |winner| winner.old).ok()?;
        let winner = votes.get(place)?;
        Some(Moved { target: Some(winner.new), penalty: if winner.votes > 1 { 900 } else { 300 } })
    };
    let unknown = Moved { target: None, penalty: 200 };
    let find = |unit: &Unit| {
        unit.reference?;
        by_bytes(unit.target).or_else(|| by_votes(unit.target))
    };
    old_units.iter().map(|unit| find(unit).unwrap_or(unknown)).collect()
}

/// Where most references to an old target lead now.
struct Winner {
    old: u32,
    new: u32,
    votes: usize,
}

/// Lets aligned references vote; in the order of old targets.
fn votes(old_units: &[Unit], new_units: &[Unit], segments: &[Segment]) -> Vec<Winner> {
    let mut votes = Vec::new();
    for segment in segments {
        let first = |units: &[Unit], at: u32| units.partition_point(|unit| unit.at < at);
        let old = old_units.get(first(old_units, segment.old_start)..).unwrap_or_default();
        let new = first(new_units, segment.new_start)..first(new_units, segment.new_end);
        let pairs = old.iter().zip(new_units.get(new).unwrap_or_default());
        let aligned = pairs.filter(|(old, new)| old.hash == new.hash && old.reference.is_some());
        votes.extend(aligned.map(|(old, new)| (old.target, new.target)));
    }
    votes.sort_unstable();
    let winner = |of_target: &[(u32, u32)]| {
        let most = of_target.chunk_by(|one, other| one == other).max_by_key(|alike| alike.len())?;
        most.first().map(|(old, new)| Winner { old: *old, new: *new, votes: most.len() })
    };
    votes.chunk_by(|one, other| one.0 == other.0).filter_map(winner).collect()
}
