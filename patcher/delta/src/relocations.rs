//! The table of base relocations, written from the references of the new image.
//!
//! Each absolute reference is a HIGHLOW relocation, each high half a HIGHADJ one with the low half as its parameter, and,
//! in images that have them, each low half a LOW one. Relocations of other things, *extras*, are listed in the stream.
//! The table is in the order of the file; an image whose linker has another order has its table coded as data.

use crate::bytes::len;
use crate::image::{Image, Relocation, RelocationKind, RelocationWriter, Relocations};
use crate::isa::{ItemKind, Reference};
use crate::list::Listed;
use crate::references::Resolved;
use crate::source::Source;

/// Most extras of a table.
pub(crate) const MOST_EXTRAS: u32 = 1 << 16;

/// Returns the relocation of a reference.
fn relocation(
    image: &Image,
    at: u32,
    reference: Reference,
    parameter: impl FnOnce() -> u16,
    low: bool,
) -> Option<Relocation> {
    let (kind, parameter) = match reference {
        Reference::Absolute => (RelocationKind::HIGHLOW, 0),
        Reference::High => (RelocationKind::HIGHADJ, parameter()),
        Reference::Low if low => (RelocationKind::LOW, 0),
        _ => return None,
    };
    Some(Relocation { address: image.address(at).unwrap_or_default(), kind, parameter })
}

/// Merges the relocations of references with extras, each before the first that has a higher address.
fn write(
    file: &mut [u8],
    offset: u32,
    relocations: impl Iterator<Item = Relocation>,
    extras: &[Relocation],
) -> u32 {
    let mut writer = RelocationWriter::new(offset);
    let mut extras = extras.iter().peekable();
    for relocation in relocations {
        while let Some(extra) = extras.next_if(|extra| extra.address < relocation.address) {
            writer.push(file, *extra);
        }
        writer.push(file, relocation);
    }
    for extra in extras {
        writer.push(file, *extra);
    }
    writer.close(file)
}

/// Writes the table into a finished image.
pub(crate) fn regenerate(
    file: &mut [u8],
    image: &Image,
    resolved: &Resolved,
    low: bool,
    extras: &[Relocation],
) {
    let Some(offset) = image.offset(image.relocations.address) else { return };
    let mut parameters = resolved.parameters.iter();
    let relocations = resolved.references.iter().filter_map(|Listed { at, reference, .. }| {
        // Every high half has its parameter in the list, in order.
        relocation(image, at, reference, || parameters.next().copied().unwrap_or(0), low)
    });
    write(file, offset, relocations, extras);
}

/// Finds out whether a source's table can be written from its references; returns the extras that it takes.
pub(crate) fn extras(source: &Source<'_>) -> Option<Vec<Relocation>> {
    let file = source.file;
    let image = file.image.as_ref().filter(|image| image.relocations.size > 0)?;
    let offset = image.offset(image.relocations.address)?;
    let own = image.sections.iter().position(|section| section.address == image.relocations.address)?;
    let mut found = Vec::new();
    for region in file.regions.iter().filter(|region| region.section != Some(own)) {
        let mut at = region.start;
        while at < region.end {
            let item = file.item(at, region);
            let fields = item.fields().filter(|_| item.kind != ItemKind::Rva);
            found.extend(fields.filter_map(|field| {
                let place = at + u32::from(field.at);
                let parameter = || file.parameter(place).unwrap_or(0);
                relocation(image, place, field.reference, parameter, file.has_low_relocations())
            }));
            at += item.size();
        }
    }
    let mut known = found.clone();
    known.sort_unstable();
    let table: Vec<Relocation> = Relocations::of(file.bytes, image).collect();
    let is_extra = |relocation: &&Relocation| known.binary_search(relocation).is_err();
    let extras: Vec<Relocation> = table.iter().filter(is_extra).copied().collect();
    let few = extras.len() <= 64 + table.len() / 8 && extras.len() <= MOST_EXTRAS as usize;
    if !few || !extras.is_sorted_by_key(|extra| extra.address) {
        return None;
    }
    let wanted = file.bytes.get(offset as usize..)?.get(..image.relocations.size as usize)?;
    // As large as the table can become: an entry is six bytes at most, and each may begin a block of eight.
    let mut written = vec![0; (found.len() + extras.len()) * 16 + 16];
    let end = write(&mut written, 0, found.into_iter(), &extras);
    (end == len(wanted) && written.get(..end as usize) == Some(wanted)).then_some(extras)
}
