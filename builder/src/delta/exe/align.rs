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
mod units;

use qfe_delta::file::File;
use qfe_delta::image::Rva;
use qfe_delta::source::Segment;

use index::Index;
use path::Path;
use units::Units;

/// Segments of at least this many bytes tell where targets went.
const TELLING: u32 = 16;

/// A file and its units.
#[derive(Debug)]
pub(super) struct Side<'a> {
    file: &'a File<'a>,
    units: Units,
}

impl<'a> Side<'a> {
    fn of(file: &'a File<'a>) -> Self {
        Self { file, units: Units::of(file) }
    }
}

/// Aligns two files.
pub(super) fn align(old: &File<'_>, new: &File<'_>) -> Vec<Segment> {
    let (old, new) = (Side::of(old), Side::of(new));
    let index = Index::new(old.units.hashes());
    let first = Path::find(&old, &new, &index, &[]);
    if new.units.targets().is_empty() {
        return first;
    }
    let moved = moved(&old, &new, first);
    Path::find(&old, &new, &index, &moved)
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
fn moved(old: &Side<'_>, new: &Side<'_>, mut segments: Vec<Segment>) -> Vec<Moved> {
    segments.retain(|segment| segment.new_end - segment.new_start >= TELLING);
    let votes = votes(&old.units, &new.units, &segments);
    segments.sort_by_key(|segment| segment.old_start);
    let by_bytes = |target: u32| {
        let offset = old.file.image.as_ref()?.offset(Rva(target))?;
        let before = segments.partition_point(|segment| segment.old_start <= offset).checked_sub(1)?;
        let segment = segments.get(before)?;
        let (into, len) = (offset - segment.old_start, segment.new_end - segment.new_start);
        let address = new.file.image.as_ref()?.address(segment.new_start + into).filter(|_| into < len)?;
        Some(Moved { target: Some(address.0), penalty: 900 })
    };
    let by_votes = |target: u32| {
        let place = votes.binary_search_by_key(&target, |winner| winner.old).ok()?;
        let winner = votes.get(place)?;
        Some(Moved { target: Some(winner.new), penalty: if winner.votes > 1 { 900 } else { 300 } })
    };
    let unknown = Moved { target: None, penalty: 200 };
    let find = |address: u32| by_bytes(address).or_else(|| by_votes(address)).unwrap_or(unknown);
    old.units.targets().iter().map(|target| find(target.address)).collect()
}

/// Where most references to an old target lead now.
struct Winner {
    old: u32,
    new: u32,
    votes: usize,
}

/// Lets aligned references vote; in the order of old targets.
fn votes(old: &Units, new: &Units, segments: &[Segment]) -> Vec<Winner> {
    let mut votes = Vec::new();
    for segment in segments {
        let first = new.first_from(segment.new_start);
        let pairs = (first..new.first_from(segment.new_end)).zip(old.first_from(segment.old_start)..);
        for (new, old) in pairs.map_while(|(number, twin)| new.get(number).zip(old.get(twin))) {
            if let (Some(old_target), Some(new_target)) = (old.target, new.target)
                && old.hash == new.hash
            {
                votes.push((old_target.address, new_target.address));
            }
        }
    }
    votes.sort_unstable();
    let winner = |of_target: &[(u32, u32)]| {
        let most = of_target.chunk_by(|one, other| one == other).max_by_key(|alike| alike.len())?;
        most.first().map(|(old, new)| Winner { old: *old, new: *new, votes: most.len() })
    };
    votes.chunk_by(|one, other| one.0 == other.0).filter_map(winner).collect()
}
