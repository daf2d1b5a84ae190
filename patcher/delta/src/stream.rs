//! The order of things in a stream.
//!
//! ```text
//! whether the new file is as long as the old one; if not, how long
//! whether both files are plain bytes, though they may be images
//! whether literals are primed
//! whether the headers are as long as the old file's; if not, how long; 0 if the new file is no image
//! the headers
//! of an image: whether its Rich header is masked; whether its checksum is computed; whether its relocations are; on Alpha, whether low halves have
//!     relocations; if they are computed, the number of extras and for each: distance from the one before, kind, and
//!     the parameter of a HIGHADJ
//! every other region
//! the targets of references
//! ```

use crate::DeltaError;
use crate::bytes::len;
use crate::coder::Coder;
use crate::file::{File, Region, regions};
use crate::image::{Image, Machine, Relocation, RelocationKind, Rva, checksum, rich};
use crate::isa::Isa;
use crate::models::{Flag, Models};
use crate::relocations::{MOST_EXTRAS, extras, regenerate};
use crate::source::Source;
use crate::start::Start;
use crate::walk::Walk;

/// Largest old or new file.
pub const MAX_SIZE: u32 = 1 << 30;

/// Kinds of numbers.
const SIZE: u32 = 0;
const HEADERS: u32 = 1;
const EXTRAS: u32 = 30;
const EXTRA_DISTANCE: u32 = 31;
const EXTRA_KIND: u32 = 32;
const EXTRA_PARAMETER: u32 = 33;

/// Codes a file; the old one's Rich header is unmasked. An encoder gives a source, a decoder none. Returns the new file and the coder.
///
/// What comes out of an encoder is what a decoder will make: it is compared with the file that was wanted.
pub fn transcode<C: Coder>(
    coder: C,
    old: &[u8],
    source: Option<Source<'_>>,
    limit: u64,
) -> Result<(Vec<u8>, C), DeltaError> {
    let (new, models) = transcode_from(Start::TRAINED, coder, old, source, limit)?;
    Ok((new, models.into_coder()))
}

/// Codes a file from a start of one's choice, as trainers do; returns what was learned, too.
pub fn transcode_from<C: Coder>(
    start: Start,
    coder: C,
    old: &[u8],
    source: Option<Source<'_>>,
    limit: u64,
) -> Result<(Vec<u8>, Models<C>), DeltaError> {
    let mut models = Models::new(coder, start);
    let wish = source.as_ref().map_or(0, |source| source.file.size());
    let size =
        if models.flag(Flag::SameSize, wish == len(old)) { len(old) } else { models.number(SIZE, 0, wish) };
    if u64::from(size) > limit || size > MAX_SIZE {
        return Err(DeltaError::TooLarge { found: u64::from(size), limit: limit.min(u64::from(MAX_SIZE)) });
    }
    let wished = source.as_ref().is_some_and(|source| source.plain);
    let plain = models.flag(Flag::Plain, wished);
    let old = &if plain { File::plain(old) } else { File::read(old) };
    models.make_room(old.size().saturating_add(size));
    let mut walk = Walk::new(models, old, source, size);
    let primed = walk.source.as_ref().is_some_and(|source| source.prime);
    if walk.models.flag(Flag::Prime, primed) {
        walk.prime();
    }
    let headers = headers(&mut walk, size)?;
    let all = regions(walk.image.as_ref(), size);
    let plan = plan(&mut walk, size)?;
    for region in all.iter().filter(|region| region.start >= headers) {
        let twin = region.section.and_then(|number| old.image.as_ref()?.sections.get(number));
        let twin = twin.map(|section| section.offset);
        match without_table(&walk, region, &plan) {
            Some(rest) => {
                // What is left of a section begins behind the old table, too.
                let table = if rest == *region {
                    0
                } else {
                    old.image.as_ref().map_or(0, |image| image.relocations.size)
                };
                walk.region(&rest, twin.map(|twin| twin.saturating_add(table)))?;
            }
            None => {
                if let Some(twin) = twin {
                    walk.old_at = twin;
                }
            }
        }
    }
    let resolved = walk.resolve(&all);
    let Walk { mut new, image, models, .. } = walk;
    if let Some(image) = &image {
        if let Some(extras) = &plan.extras {
            regenerate(&mut new, image, &resolved, plan.low_relocations, extras);
        }
        if plan.rich {
            rich::mask(&mut new);
        }
        if plan.checksum {
            let sum = checksum(&new, image.checksum_at());
            crate::bytes::put_u32(&mut new, image.checksum_at(), sum);
        }
    }
    Ok((new, models))
}

/// Codes the headers; returns their length.
fn headers<C: Coder>(walk: &mut Walk<'_, C>, size: u32) -> Result<u32, DeltaError> {
    let wish =
        walk.source.as_ref().and_then(|source| source.file.image.as_ref()).map_or(0, |image| image.headers);
    let old = walk.old.file.image.as_ref().map_or(0, |image| image.headers);
    let headers = if walk.models.flag(Flag::SameHeaders, wish == old) {
        old
    } else {
        walk.models.number(HEADERS, 0, wish)
    };
    if headers > size {
        return Err(DeltaError::OutOfBounds {
            field: "size of the headers",
            found: i64::from(headers),
            bound: "new file",
        });
    }
    if headers > 0 {
        walk.region(&Region { start: 0, end: headers, isa: Isa::Data, section: None }, None)?;
        let image = Image::read(walk.new.get(..headers as usize).unwrap_or_default(), size);
        let image = image.filter(|image| image.headers == headers).ok_or(DeltaError::OutOfBounds {
            field: "size of the headers",
            found: i64::from(headers),
            bound: "headers themselves",
        })?;
        walk.set_image(Some(image));
    }
    Ok(headers)
}

/// What of an image is computed.
#[derive(Debug, Default)]
struct Plan {
    rich: bool,
    checksum: bool,
    low_relocations: bool,
    /// The extras of the table of relocations, if that is computed.
    extras: Option<Vec<Relocation>>,
}

fn plan<C: Coder>(walk: &mut Walk<'_, C>, size: u32) -> Result<Plan, DeltaError> {
    let Some(machine) = walk.image.as_ref().map(|image| image.machine) else { return Ok(Plan::default()) };
    let source = walk.source.as_ref();
    let wished = source.and_then(extras);
    let (sum, low) =
        source.map_or((false, false), |source| (source.checksum, source.file.has_low_relocations()));
    let rich = source.is_some_and(|source| source.rich);
    let mut plan = Plan {
        rich: walk.models.flag(Flag::Rich, rich),
        checksum: walk.models.flag(Flag::Checksum, sum),
        ..Plan::default()
    };
    if !walk.models.flag(Flag::Regenerate, wished.is_some()) {
        return Ok(plan);
    }
    if machine == Machine::Alpha {
        plan.low_relocations = walk.models.flag(Flag::LowRelocations, low);
    }
    let wished = wished.unwrap_or_default();
    let models = &mut walk.models;
    let count = models.number(EXTRAS, 0, u32::try_from(wished.len()).unwrap_or(0));
    if count > MOST_EXTRAS.min(size) {
        return Err(DeltaError::OutOfBounds {
            field: "number of relocations",
            found: i64::from(count),
            bound: "table",
        });
    }
    let (mut extras, mut address) = (Vec::new(), Rva(0));
    let mut wished = wished.into_iter();
    for _ in 0..count {
        let wish = wished.next();
        let wish = wish.unwrap_or(Relocation { address, kind: RelocationKind::PAD, parameter: 0 });
        address = address.plus(models.number(EXTRA_DISTANCE, 0, wish.address.minus(address)));
        let kind = models.number(EXTRA_KIND, 0, u32::from(wish.kind.0));
        let kind = RelocationKind(u8::try_from(kind & 15).unwrap_or(0));
        let parameter = if kind == RelocationKind::HIGHADJ {
            models.number(EXTRA_PARAMETER, 0, u32::from(wish.parameter))
        } else {
            0
        };
        let parameter = u16::try_from(parameter & 0xffff).unwrap_or(0);
        extras.push(Relocation { address, kind, parameter });
    }
    plan.extras = Some(extras);
    Ok(plan)
}

/// Leaves out of a region the table that is computed; none if nothing remains.
fn without_table<C>(walk: &Walk<'_, C>, region: &Region, plan: &Plan) -> Option<Region> {
    let image = walk.image.as_ref().filter(|_| plan.extras.is_some());
    let Some(image) = image else { return Some(*region) };
    let own = image.sections.iter().position(|section| section.address == image.relocations.address);
    if own.is_none() || region.section != own {
        return Some(*region);
    }
    let start = region.start.saturating_add(image.relocations.size);
    (start < region.end).then_some(Region { start, ..*region })
}
