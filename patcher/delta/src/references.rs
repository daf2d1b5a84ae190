//! The second pass: where the references of the new file lead.
//!
//! By now it is known what went where. For each reference that belongs to an old one, the places to which the old target
//! may have gone are tried in turn, the likeliest first, each with a decision; if none is right, or there is no old
//! reference, the target is coded in full. What targets became is learned, and is the first candidate the next time.

mod addresses;
mod candidates;
mod pools;

use crate::bits::Bits;
use crate::bytes::{byte, u32_at};
use crate::coder::Coder;
use crate::file::{Region, region_at};
use crate::image::{Image, Machine, Rva};
use crate::isa::{Isa, Reference, alpha};
use crate::list::{Association, Listed, ReferenceList};
use crate::models::{Class, Flag, Models};
use crate::source::Source;
use crate::walk::{Old, Walk};
use candidates::{AddressMap, Candidate, Candidates};
use pools::Pools;

/// What the second pass leaves: the finished references.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) references: ReferenceList,
    /// The low half that belongs to each high half, in order.
    pub(crate) parameters: Vec<u16>,
}

/// The second pass.
struct Resolver<'a, 'w, C> {
    models: &'w mut Models<C>,
    old: Old<'a>,
    source: Option<&'w Source<'a>>,
    new: &'w mut [u8],
    image: &'w Image,
    regions: &'w [Region],
    low: &'w Bits,
    map: AddressMap<'w>,
    pools: Pools,
    parameters: Vec<u16>,
    /// Low halves that the last high halves belong to: position and target, by number of the word.
    paired: [(u32, Rva); 64],
    /// For each form and candidate whether it was right the last times.
    right: [[u32; CANDIDATES]; 8],
    /// The last two references of each kind: old and new target.
    last: [[(Rva, Rva); 2]; 16],
    /// The last coded targets of each kind.
    addresses: [Rva; 32],
    /// The last target of any.
    previous: Rva,
    /// The last 8-bit distance.
    distance: u32,
}

/// Most candidates of a reference.
const CANDIDATES: usize = 6;

/// Returns the place of a word among 64: halves of a pair are never farther apart.
fn word_place(at: u32) -> usize {
    ((at / 4) & 63) as usize
}

/// A reference with what is known of it.
#[derive(Clone, Copy)]
struct Open {
    listed: Listed,
    region: Region,
    /// The address of the field.
    here: Rva,
    /// What the old reference leads to, if there is one.
    old_target: Option<Rva>,
    /// What the reference is part of: an opcode, or what comes before the field.
    opcode: u32,
    /// The field of the function table that the reference is in, from 1 on; 0 outside.
    column: u32,
}

impl Open {
    fn reference(&self) -> Reference {
        self.listed.reference
    }

    /// Tells whether it is a call, which leads far, to where others lead.
    fn is_call(&self) -> bool {
        match self.reference() {
            Reference::Relative32 => self.opcode == 0xe8,
            Reference::Branch => self.opcode == alpha::BSR,
            _ => false,
        }
    }

    /// Tells whether it is a distance within a function, likely.
    fn is_near(&self) -> bool {
        self.reference().is_relative() && !self.is_call()
    }

    fn is_alike_only(&self) -> bool {
        matches!(self.listed.association, Association::Likeness(_))
    }

    /// Returns the number of its kind, below 16.
    fn kind(&self) -> usize {
        (self.reference().number() * 2 + u32::from(self.is_call())) as usize & 15
    }
}

impl<C: Coder> Walk<'_, C> {
    /// Codes and writes the targets of all references.
    pub(crate) fn resolve(&mut self, regions: &[Region]) -> Resolved {
        let references = std::mem::take(&mut self.references);
        let Some(image) = &self.image else { return Resolved { references, parameters: Vec::new() } };
        let runs = std::mem::take(&mut self.runs).into_sorted();
        let map = AddressMap::new(runs, self.old.file.image.as_ref(), image);
        let pools = Pools::new(self.old.file, &map);
        let mut resolver = Resolver {
            models: &mut self.models,
            old: self.old,
            source: self.source.as_ref(),
            new: &mut self.new,
            image,
            regions,
            low: &self.low,
            map,
            pools,
            parameters: Vec::new(),
            paired: [(0, Rva(0)); 64],
            right: [[0; CANDIDATES]; 8],
            last: [[(Rva(0), Rva(0)); 2]; 16],
            addresses: [Rva(0); 32],
            previous: Rva(0),
            distance: 0,
        };
        for listed in references.iter() {
            resolver.resolve(listed);
        }
        let parameters = resolver.parameters;
        Resolved { references, parameters }
    }
}

impl<C: Coder> Resolver<'_, '_, C> {
    fn resolve(&mut self, listed: Listed) {
        let Some(open) = self.open(listed) else { return };
        let wish = self
            .source
            .map_or(Rva(0), |source| source.file.target(listed.at, listed.reference, &open.region));
        if let Some(target) = self.paired_target(&open)
            && self.models.flag(Flag::Paired, wish == target)
        {
            self.write(&open, target);
            return;
        }
        let candidates = self.candidates(&open);
        let target = match self.choose(&open, candidates.as_slice(), wish) {
            Some(target) => target,
            None => {
                let best = candidates.as_slice().first().map(|candidate| candidate.target);
                self.address(&open, best, wish)
            }
        };
        self.learn(&open, target);
        self.write(&open, target);
    }

    /// Gathers what is known of a reference.
    fn open(&self, listed: Listed) -> Option<Open> {
        let region = region_at(self.regions, listed.at)?;
        let here = self.image.address(listed.at).unwrap_or_default();
        let old_target = listed.association.position().map(|at| {
            let region = self.old.file.region(at);
            region.map_or(Rva(0), |region| self.old.file.target(at, listed.reference, &region))
        });
        let opcode = match (listed.reference, region.isa) {
            (_, Isa::Alpha) => alpha::opcode(u32_at(self.new, listed.at)),
            (_, Isa::I386) => listed.at.checked_sub(1).and_then(|at| byte(self.new, at)).map_or(0, u32::from),
            (_, Isa::Data) => 0xff,
        };
        let column = match self.image.offset(self.image.functions.address) {
            Some(start) if self.image.machine == Machine::Alpha && region.isa == Isa::Data => {
                let into = listed.at.wrapping_sub(start);
                if into < self.image.functions.size { into / 4 % 5 + 1 } else { 0 }
            }
            _ => 0,
        };
        Some(Open { listed, region, here, old_target, opcode, column })
    }

    /// Returns the target of the high half before, if this is its low half.
    fn paired_target(&mut self, open: &Open) -> Option<Rva> {
        if open.reference() != Reference::Low {
            return None;
        }
        let place = self.paired.get_mut(word_place(open.listed.at))?;
        let (at, target) = std::mem::take(place);
        (at == open.listed.at).then_some(target)
    }

    /// Collects where a reference may lead.
    fn candidates(&self, open: &Open) -> Candidates {
        let mut candidates = Candidates::default();
        let Some(old) = open.old_target else { return candidates };
        let reference = open.reference();
        self.map.candidates(old, reference != Reference::Rva, &mut candidates);
        if reference == Reference::Rva {
            // Most numbers are no addresses.
            candidates.insert_second(Candidate { target: old, quality: 0 });
        }
        let [last, before] = self.last.get(open.kind()).copied().unwrap_or_default();
        if open.is_near() {
            let old_image = self.old.file.image.as_ref();
            let old_here = open.listed.association.position().and_then(|at| old_image?.address(at));
            let distance = old.minus(old_here.unwrap_or_default());
            candidates.push(Candidate { target: open.here.plus(distance), quality: 8 });
        }
        if matches!(reference, Reference::Absolute | Reference::Rva) {
            let stride = |(old_last, new_last): (Rva, Rva)| new_last.plus(old.minus(old_last));
            candidates.push(Candidate { target: stride(last), quality: 9 });
            if open.column > 0 {
                let aligned = |(_, new_last): (Rva, Rva)| Rva(new_last.0.wrapping_add(15) & !15);
                candidates.push(Candidate { target: aligned(last), quality: 10 });
                candidates.push(Candidate { target: stride(before), quality: 11 });
                candidates.push(Candidate { target: aligned(before), quality: 12 });
            }
        }
        candidates
    }

    /// Codes which candidate is right, if one is.
    fn choose(&mut self, open: &Open, candidates: &[Candidate], wish: Rva) -> Option<Rva> {
        let old = open.old_target?;
        let form = open.reference().number();
        let old_section = self.old.file.image.as_ref().and_then(|image| image.section_of(old));
        let old_section = old_section.and_then(|number| u32::try_from(number).ok()).unwrap_or(99);
        let count = u32::try_from(candidates.len()).unwrap_or(0);
        for (index, candidate) in (0..).zip(candidates) {
            let quality = candidate.quality;
            let kind = form * 2 + u32::from(open.is_alike_only()) + 16 * index;
            let raw = u32::from(open.reference() == Reference::Rva && candidate.target == old);
            let all = self.right_of(0, 0);
            let right = if index == 0 { self.right_of(form, 0) } else { self.right_of(form, index) };
            let mut evidence = Class::Candidate.evidence();
            evidence.context(kind, open.opcode | quality << 8 | open.column << 16);
            evidence.context(candidate.target.minus(old), kind);
            evidence.context(old_section, quality << 8 | kind);
            evidence.context(all & 255, quality << 10 | raw << 9 | kind | count << 16);
            let situation = kind.min(127) * 64 + quality.min(15) * 4 + (right & 3);
            evidence.select(situation);
            evidence.select(all & 63 | index << 6);
            evidence.refine((kind & 127) * 32 + quality * 2 + (right & 1));
            evidence.count(situation);
            evidence.count((kind & 127) << 6 | all & 7 | open.column << 3);
            let hit = self.models.decide(Class::Candidate, &evidence, wish == candidate.target);
            self.set_right(form, index, hit);
            if index == 0 {
                self.set_right(0, 0, hit);
            }
            if hit {
                return Some(candidate.target);
            }
        }
        None
    }

    /// Returns whether a form's candidate was right the last times; form 0 stands for all first ones.
    fn right_of(&self, form: u32, index: u32) -> u32 {
        self.right.get(form as usize).and_then(|form| form.get(index as usize)).copied().unwrap_or(0)
    }

    fn set_right(&mut self, form: u32, index: u32, hit: bool) {
        if let Some(right) = self.right.get_mut(form as usize).and_then(|form| form.get_mut(index as usize)) {
            *right = *right << 1 | u32::from(hit);
        }
    }

    /// Learns what a target became.
    fn learn(&mut self, open: &Open, target: Rva) {
        let reference = open.reference();
        let kind = reference.number() * 4 + u32::from(open.is_call());
        if let Some(address) = self.addresses.get_mut(kind as usize) {
            *address = target;
        }
        self.previous = target;
        let Some(old) = open.old_target else { return };
        if let Some(last) = self.last.get_mut(open.kind()) {
            let [latest, _] = *last;
            *last = [(old, target), latest];
        }
        if !open.is_alike_only() && !matches!(reference, Reference::Relative8 | Reference::Rva) {
            self.map.learn(old, target);
        }
    }

    /// Writes a target into the new file.
    fn write(&mut self, open: &Open, target: Rva) {
        let Listed { at, reference, .. } = open.listed;
        reference.write(self.new, at, open.here, self.image.base, target);
        if reference == Reference::High {
            let low = target.0.wrapping_add(self.image.base) & 0xffff;
            self.parameters.push(u16::try_from(low).unwrap_or(0));
            if let Some(consumer) = alpha::consumer(self.new, at, open.region.end)
                && self.low.contains(consumer / 4)
                && let Some(place) = self.paired.get_mut(word_place(consumer))
            {
                *place = (consumer, target);
            }
        }
    }
}
