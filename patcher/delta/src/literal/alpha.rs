//! New Alpha words: field by field, the opcode first.

use super::WORD;
use crate::DeltaError;
use crate::bytes::{put_u32, try_u32, u32_at};
use crate::coder::Coder;
use crate::file::Region;
use crate::isa::alpha::{self, Format, LDAH};
use crate::isa::{Body, Isa, Item, ItemKind, Reference};
use crate::list::Association;
use crate::matcher::Place;
use crate::model::{Evidence, hash};
use crate::models::Class;
use crate::walk::Walk;

/// Stands for a field or word that is not there in contexts.
const NONE: u32 = u32::MAX;

/// A field of a word: where it is, and its number in contexts.
#[derive(Clone, Copy)]
pub(super) struct WordField {
    number: u32,
    pub(super) bits: u32,
    pub(super) at: u32,
}

const fn field(number: u32, bits: u32, at: u32) -> WordField {
    WordField { number, bits, at }
}

/// The opcode, before all others.
pub(super) const OPCODE: WordField = field(0, 6, 26);

/// Returns the fields behind the opcode, in the order in which they are coded, and those that a reference takes up.
pub(super) fn fields(format: Format) -> (&'static [WordField], &'static [WordField]) {
    const BRANCH: &[WordField] = &[field(1, 5, 21)];
    const DISTANCE: &[WordField] = &[field(2, 5, 16), field(3, 8, 8), field(4, 8, 0)];
    const MEMORY: &[WordField] = &[field(5, 5, 21), field(6, 5, 16)];
    const DISPLACEMENT: &[WordField] = &[field(7, 8, 8), field(8, 8, 0)];
    const OPERATE: &[WordField] = &[field(9, 8, 5), field(10, 5, 21), field(11, 8, 13), field(12, 5, 0)];
    const FLOAT: &[WordField] =
        &[field(13, 3, 13), field(14, 8, 5), field(15, 5, 21), field(16, 5, 16), field(17, 5, 0)];
    const OTHER: &[WordField] = &[field(18, 2, 24), field(19, 8, 16), field(20, 8, 8), field(21, 8, 0)];
    match format {
        Format::Branch => (BRANCH, DISTANCE),
        Format::Memory => (MEMORY, DISPLACEMENT),
        Format::Operate => (OPERATE, &[]),
        Format::Float => (FLOAT, &[]),
        Format::Other => (OTHER, &[]),
    }
}

/// A word of which some fields are known.
#[derive(Clone, Copy)]
pub(super) struct Partial {
    pub(super) word: u32,
    /// A hash of the fields so far.
    start: u32,
    /// The words before, the nearest first.
    before: [u32; 3],
}

impl Partial {
    pub(super) fn new(before: [u32; 3]) -> Self {
        Self { word: 0, start: 0, before }
    }

    /// Adds a field.
    pub(super) fn add(&mut self, field: WordField, value: u32) {
        self.word |= value << field.at;
        self.start = hash(self.start, value + 1 + field.number * 1000);
    }

    /// Begins the evidence for a field, with the contexts that are taught.
    pub(super) fn evidence(&self, field: WordField) -> Evidence {
        let number = field.number;
        let [last, second, third] = self.before.map(alpha::opcode);
        let here = hash(number, self.start);
        let mut evidence = Class::Word.evidence();
        evidence.context(number, alpha::opcode(self.word));
        evidence.context(here, 0);
        evidence.context(here, last | second << 6 | third << 12);
        evidence
    }
}

/// For each base register the displacement that it last came with.
#[derive(Debug, Default)]
pub(crate) struct Offsets([u32; 32]);

impl Offsets {
    /// Takes note of a word, if it has a base.
    #[inline]
    pub(crate) fn note(&mut self, word: u32) {
        if alpha::has_base(word)
            && let Some(offset) = self.0.get_mut(alpha::rb(word) as usize)
        {
            *offset = word & 0xffff;
        }
    }

    fn of(&self, base: u32) -> u32 {
        self.0.get(base as usize).copied().unwrap_or(0)
    }
}

/// The words that may come.
struct Candidates {
    /// The old word.
    old: Option<u32>,
    /// The old word under its new names.
    renamed: Option<u32>,
    /// The word at the match pointer.
    matched: Option<u32>,
    substituted: u32,
    /// Which of renamed, matched and old have been right so far.
    right: [bool; 3],
}

impl<C: Coder> Walk<'_, C> {
    /// Codes a word.
    pub(super) fn word(
        &mut self,
        region: &Region,
        old: Option<&Item>,
        substituted: bool,
        wish: &Item,
    ) -> Result<(Item, Body), DeltaError> {
        self.room(region, 4)?;
        let old_bytes = self.old.file.bytes;
        let old = old.filter(|old| old.kind == ItemKind::Instruction);
        let old_body = old.map(|old| old.body(old_bytes, self.old_at));
        let old_word = old_body.map(|body| u32_at(&body, 0));
        let old_refers = old.is_some_and(|old| old.references() > 0);
        let mut candidates = Candidates {
            old: old_word,
            renamed: old_word.map(|word| self.renames.renamed_word(word, old_refers)),
            matched: self.matched_word(),
            substituted: u32::from(substituted),
            right: [true; 3],
        };
        let wished = self.source.as_ref().map_or(0, |source| u32_at(source.file.bytes, self.at));
        let back = |words: u32| match self.at.checked_sub(4 * words) {
            Some(at) if at >= region.start => u32_at(&self.new, at),
            _ => 0,
        };
        let mut partial = Partial::new([back(1), back(2), back(3)]);
        self.field(OPCODE, wished, &mut partial, &mut candidates);
        let (always, unless_reference) = fields(alpha::format(partial.word));
        for field in always {
            self.field(*field, wished, &mut partial, &mut candidates);
        }
        put_u32(&mut self.new, self.at, partial.word);
        let reference = self.possible_word_reference(region, partial.word).filter(|reference| {
            let wish = wish.find(*reference).is_some();
            self.is_word_reference(*reference, partial.word, old_refers, old_word.is_some(), wish)
        });
        if reference.is_none() {
            for field in unless_reference {
                self.field(*field, wished, &mut partial, &mut candidates);
            }
            put_u32(&mut self.new, self.at, partial.word);
        }
        let word = partial.word;
        let item = Item::word(word, reference);
        let body = item.body(&self.new, self.at);
        if let Some(reference) = reference {
            let association = self.word_association(reference, old, substituted);
            self.refer(self.at, reference, association);
        }
        if let Some(matched) = candidates.matched {
            let upper = if reference.is_some() { 0xffe0_0000 } else { u32::MAX };
            if matched & upper == word & upper { self.matcher.hit(4) } else { self.matcher.miss(4) }
        }
        if let (Some(old), Some(old_body)) = (old, old_body)
            && substituted
            && (reference.is_none() || old_refers)
        {
            self.renames.learn(old, &old_body, &body, &item.instruction, Isa::Alpha);
        }
        self.offsets.note(word);
        self.history.step(alpha::opcode(word) | (word & 0x1f_0000) >> 8 | WORD);
        Ok((item, body))
    }

    fn matched_word(&self) -> Option<u32> {
        match self.matcher.at? {
            Place::Old(at) if at.is_multiple_of(4) => try_u32(self.old.file.bytes, at),
            Place::New(at) if at.is_multiple_of(4) => try_u32(&self.new, at),
            Place::Old(_) | Place::New(_) => None,
        }
    }

    /// Returns the reference that a word may have.
    fn possible_word_reference(&self, region: &Region, word: u32) -> Option<Reference> {
        if alpha::format(word) == Format::Branch {
            Some(Reference::Branch)
        } else if alpha::opcode(word) == LDAH {
            Some(Reference::High)
        } else if alpha::has_base(word)
            && alpha::producer(&self.new, self.at, region.start, &self.high).is_some()
        {
            Some(Reference::Low)
        } else {
            None
        }
    }

    /// Codes whether a word has a reference.
    fn is_word_reference(
        &mut self,
        reference: Reference,
        word: u32,
        old_refers: bool,
        has_old: bool,
        wish: bool,
    ) -> bool {
        let number = match reference {
            Reference::Branch => 1,
            Reference::High => 2,
            _ => 3,
        };
        let situation = number | u32::from(old_refers) << 4 | u32::from(has_old) << 5;
        let [last, ..] = self.history.forms;
        let mut evidence = Class::Form.evidence();
        evidence.context(number + 900, word >> 26);
        evidence.context(number + 900, word >> 16);
        evidence.context(situation, word >> 26 | 0x100);
        evidence.context(number + 900, last | 0x80_0000);
        evidence.select(48 + number);
        evidence.count(48 + number);
        evidence.count(896 + situation);
        self.models.decide(Class::Form, &evidence, wish)
    }

    /// Returns the old reference that a new one likely is.
    fn word_association(&self, reference: Reference, old: Option<&Item>, substituted: bool) -> Association {
        if substituted && old.is_some_and(|old| old.find(reference).is_some()) {
            return Association::Twin(self.old_at);
        }
        let file = self.old.file;
        let alike = self.matcher.old().filter(|at| {
            let region = file.region(*at).filter(|region| region.isa == Isa::Alpha);
            region.is_some_and(|region| file.item(*at, &region).find(reference).is_some())
        });
        alike.map_or(Association::None, Association::Likeness)
    }

    /// Codes a field.
    fn field(&mut self, field: WordField, wished: u32, partial: &mut Partial, candidates: &mut Candidates) {
        let mask = (1 << field.bits) - 1;
        let number = field.number;
        let opcode = alpha::opcode(partial.word);
        let part = |word: Option<u32>| {
            let same = word.filter(|word| number == OPCODE.number || alpha::opcode(*word) == opcode);
            same.map(|word| word >> field.at & mask)
        };
        let (old, renamed, matched) =
            (part(candidates.old), part(candidates.renamed), part(candidates.matched));
        let known = |part: Option<u32>| part.unwrap_or(NONE);
        let substituted = candidates.substituted;
        let length = self.matcher.length.min(15);
        let hits = self.history.hits;
        let [renamed_right, matched_right, old_right] = candidates.right.map(u32::from);
        let right = renamed_right | matched_right << 1 | old_right << 2;
        let [last, second, _] = partial.before;
        let (here, at_opcode) = (hash(number, partial.start), hash(number, opcode));
        let base = alpha::rb(partial.word);
        let mut evidence = partial.evidence(field);
        evidence.context(here, alpha::opcode(last) | alpha::opcode(second) << 6);
        evidence.context(here, last);
        evidence.context(at_opcode, alpha::written(last) | alpha::written(second) << 5 | 0x1000);
        evidence.context(hash(number, base), hash(self.offsets.of(base), opcode));
        evidence.context(hash(number, base), base | 0x2000);
        evidence.context(hash(number, known(old)), substituted | right << 1 | (hits & 3) << 4);
        evidence.context(at_opcode, hash(alpha::written(last), known(old)));
        evidence.expect(renamed, number * 16 + substituted * 8 + right);
        evidence.expect(matched, number * 16 + (length >> 1) * 2 + old_right);
        evidence.expect(old, number * 16 + substituted * 8 + right);
        let (both, unchanged) = (u32::from(matched == renamed), u32::from(old == renamed));
        evidence.select(number * 64 + substituted * 32 + (length >> 1) * 4 + both * 2 + unchanged);
        evidence.select((right + 8 * substituted) * 64 + opcode);
        evidence.select(
            u32::from(renamed.is_none()) * 32
                + u32::from(matched.is_none()) * 16
                + (hits & 15)
                + 64 * (number & 15),
        );
        evidence.refine(number * 4 + substituted * 2 + both);
        evidence.count(number);
        let value = self.models.code(Class::Word, &evidence, wished >> field.at & mask, field.bits);
        partial.add(field, value);
        for (right, candidate) in candidates.right.iter_mut().zip([renamed, matched, old]) {
            *right &= candidate == Some(value);
        }
    }
}
