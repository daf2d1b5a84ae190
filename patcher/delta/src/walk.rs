//! The first pass: the new file item by item, with a pointer into the old one.
//!
//! At each item a decision says whether it is as predicted: the old item under the pointer, with numbers and registers
//! renamed as was learned. If so, both sides go on. If not, an operation says what happens instead:
//!
//! | operation | what comes | where the pointer goes |
//! |---|---|---|
//! | 0, substitute | a new item, coded with the old one as an expectation | behind the old item |
//! | 1, insert | a new item | it stays |
//! | 2, jump | the old item at another place, unchanged | there, and behind that item |
//! | 3, other | the other of the two predictions, renamed or unchanged | behind the old item |
//!
//! No lengths are coded: going on is a decision for each item, or for 24 or 128 items at once once many in a row were as
//! predicted. References keep zeros in their fields; a list remembers where they are, and to which old reference each
//! belongs, for the second pass.
//!
//! Every step makes at least one byte, or ends with an error, so the time is linear in the size of the new file.

mod jump;

use crate::DeltaError;
use crate::bits::Bits;
use crate::bytes::{len, put, put_u32, u32_at};
use crate::coder::Coder;
use crate::file::{File, Region};
use crate::history::{History, range};
use crate::image::Image;
use crate::isa::{Body, Isa, Item, ItemKind, Reference};
use crate::list::{Association, Listed, ReferenceList};
use crate::literal::alpha::Offsets;
use crate::matcher::Matcher;
use crate::model::Evidence;
use crate::models::{Class, Flag, Models};
use crate::rename::{Prediction, Renames};
use crate::runs::Runs;
use crate::source::Source;

/// Items in a row that must have been as predicted before blocks are tried.
const STEADY: u32 = 16;
/// Items of a block, and of one after many.
const BLOCK: u32 = 24;
const LONG_BLOCK: u32 = 128;
/// The least items of a block that ends early.
const SHORT_BLOCK: u32 = 8;
/// Items in a row after which blocks are long.
const VERY_STEADY: u32 = 512;
/// The longest item.
const LONGEST: u32 = 15;

/// The old file, as items that may be taken over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Old<'a> {
    pub(crate) file: &'a File<'a>,
    /// The new image's time stamp; none if the new file is no image, or its headers are not known yet.
    pub(crate) new_stamp: Option<u32>,
}

impl<'a> Old<'a> {
    /// Returns the item at `at`, as it may be taken over to `new_at` in `region`; none if it does not fit there.
    #[inline]
    fn item(self, at: u32, new_at: u32, region: &Region) -> Option<Item> {
        let from = self.file.region(at)?;
        let item = self.cut(at, &from, new_at, region);
        let fits = item.size() <= from.end - at && item.size() <= region.end - new_at;
        fits.then_some(item)
    }

    #[inline]
    fn cut(self, at: u32, from: &Region, new_at: u32, region: &Region) -> Item {
        if self.new_stamp.is_none() {
            return Item::BYTE;
        }
        let mut item = if from.isa == region.isa { self.file.item(at, from) } else { Item::BYTE };
        if region.isa == Isa::Data && item.kind != ItemKind::Instruction {
            let aligned = region.section.is_some() && (new_at - region.start).is_multiple_of(4);
            if item.kind == ItemKind::Rva && !aligned {
                item = Item::BYTE;
            }
            if item.kind != ItemKind::Pointer && self.is_time_stamp(at, from) {
                item = Item::TIME_STAMP;
            }
        }
        item
    }

    /// Tells whether a copy of the old image's time stamp stands at a position; the original does not count.
    fn is_time_stamp(self, at: u32, from: &Region) -> bool {
        let Some(image) = self.file.image.as_ref().filter(|image| image.time_stamp != 0) else {
            return false;
        };
        from.isa == Isa::Data
            && from.end - at >= 4
            && at != image.header_at + 8
            && u32_at(self.file.bytes, at) == image.time_stamp
    }

    /// Returns how long the item at `at` is to a region of that instruction set.
    fn step(self, at: u32, isa: Isa) -> Option<u32> {
        let from = self.file.region(at)?;
        Some(if from.isa == isa { self.file.item(at, &from).size() } else { 1 })
    }
}

/// An item of a block.
#[derive(Debug)]
struct Planned {
    item: Item,
    before: Body,
    prediction: Prediction,
}

/// What an encoder wants at an item.
#[derive(Clone, Copy, Default)]
struct Wish {
    jump: Option<u32>,
    hit: bool,
    insert: bool,
}

/// The first pass.
#[derive(Debug)]
pub(crate) struct Walk<'a, C> {
    pub(crate) models: Models<C>,
    pub(crate) old: Old<'a>,
    pub(crate) source: Option<Source<'a>>,
    pub(crate) new: Vec<u8>,
    pub(crate) image: Option<Image>,
    /// The position in the new file.
    pub(crate) at: u32,
    /// The pointer into the old file.
    pub(crate) old_at: u32,
    /// Where it was before the last jumps, the latest first.
    departures: [u32; 3],
    pub(crate) history: History,
    pub(crate) matcher: Matcher,
    pub(crate) renames: Renames,
    pub(crate) offsets: Offsets,
    pub(crate) runs: Runs,
    pub(crate) references: ReferenceList,
    /// Numbers of Alpha words with a high half, and with a low half.
    pub(crate) high: Bits,
    pub(crate) low: Bits,
    /// Items to be coded singly before the next block.
    single: u32,
    /// Whether one of those is not as predicted, or follows a jump: the block was not, and none was found yet.
    doubtful: bool,
    planned: Vec<Planned>,
}

impl<'a, C: Coder> Walk<'a, C> {
    /// Begins a new file of `size` bytes.
    pub(crate) fn new(models: Models<C>, old: &'a File<'a>, source: Option<Source<'a>>, size: u32) -> Self {
        Self {
            models,
            old: Old { file: old, new_stamp: None },
            source,
            new: vec![0; size as usize],
            image: None,
            at: 0,
            old_at: 0,
            departures: [0; 3],
            history: History::default(),
            matcher: Matcher::new(old, size),
            renames: Renames::default(),
            offsets: Offsets::default(),
            runs: Runs::default(),
            references: ReferenceList::default(),
            high: Bits::default(),
            low: Bits::default(),
            single: 0,
            doubtful: false,
            planned: Vec::new(),
        }
    }

    /// Takes the new image's headers once they are there.
    pub(crate) fn set_image(&mut self, image: Option<Image>) {
        self.old.new_stamp = image.as_ref().map(|image| image.time_stamp);
        self.image = image;
        self.high = Bits::new(len(&self.new) / 4);
        self.low = Bits::new(len(&self.new) / 4);
    }

    /// Codes a region; `twin` is where the same section begins in the old file, if it has it.
    pub(crate) fn region(&mut self, region: &Region, twin: Option<u32>) -> Result<(), DeltaError> {
        self.old_at = twin.unwrap_or(self.old_at);
        if region.isa == Isa::Alpha {
            self.old_at &= !3;
        }
        (self.at, self.single, self.doubtful, self.history.run) = (region.start, 0, false, 0);
        self.matcher.let_go();
        while self.at < region.end {
            let wish = self.wish(region);
            match self.old.item(self.old_at, self.at, region) {
                Some(item) => {
                    if !self.block(region, wish)? {
                        self.item(region, &item, wish)?;
                    }
                }
                None => {
                    self.history.run = 0;
                    self.matcher.find(&self.history, region.isa);
                    let flag = Flag::JumpFromEnd { code: region.isa != Isa::Data };
                    if self.models.flag(flag, wish.jump.is_some()) {
                        self.jump(region, wish.jump)?;
                    } else {
                        self.literal(region, None, false)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Asks the source what comes at this item.
    fn wish(&mut self, region: &Region) -> Wish {
        let (old, at, old_at) = (self.old, self.at, self.old_at);
        let Some(source) = &mut self.source else { return Wish::default() };
        let file = source.file;
        let stamp = old.new_stamp.unwrap_or(0);
        let mut wish = Wish::default();
        if let Some(segment) = source.segment(at) {
            if segment.new_start > at {
                wish.insert = old_at >= segment.old_start;
            } else if segment.new_start == at && segment.old_start != old_at {
                let to = segment.old_start;
                let taken = old.item(to, at, region);
                let matches = taken.filter(|taken| {
                    let plain = Prediction::plain(taken.body(old.file.bytes, to));
                    is_as_predicted(file, at, region, taken, &plain, stamp)
                });
                if matches.is_some() {
                    wish.jump = Some(to);
                } else {
                    // The segment is entered at its next item.
                    segment.new_start += file.item(at, region).size();
                    segment.old_start += taken.map_or(1, |taken| taken.size());
                }
            }
        }
        if wish.jump.is_none()
            && let Some(item) = old.item(old_at, at, region)
        {
            let prediction = self.renames.predict(&item, item.body(old.file.bytes, old_at), region.isa);
            wish.hit = is_as_predicted(file, at, region, &item, &prediction, stamp);
        }
        wish
    }

    /// Codes many items at once if they are all as predicted; returns whether they are.
    fn block(&mut self, region: &Region, wish: Wish) -> Result<bool, DeltaError> {
        if self.single > 0 {
            self.single -= 1;
            return Ok(false);
        }
        if self.history.run < STEADY {
            return Ok(false);
        }
        let count = if self.history.run >= VERY_STEADY { LONG_BLOCK } else { BLOCK };
        let Some(from) = self.old.file.region(self.old_at) else { return Ok(false) };
        if from.end - self.old_at < count * LONGEST || region.end - self.at < count * LONGEST {
            return Ok(false);
        }
        let Some(count) = self.without_unique(count, region, &from) else { return Ok(false) };
        let steady = self.plan(region, &from, count) && wish.jump.is_none();
        let situation = (range(self.history.run) * 2 + u32::from(count > BLOCK)) * 4
            + (self.history.hits >> 16 & 3).count_ones()
            + 128 * region.isa.number();
        if !self.models.block(situation, steady) {
            (self.single, self.doubtful) = (count - 1, true);
            return Ok(false);
        }
        let planned = std::mem::take(&mut self.planned);
        for planned in &planned {
            self.take_over(&planned.item, &planned.before, &planned.prediction, region.isa);
        }
        self.planned = planned;
        self.history.run += count;
        self.history.hits = u32::MAX;
        self.matcher.let_go();
        Ok(true)
    }

    /// Ends a block of data before bytes that are new in every build; none if it becomes too short.
    fn without_unique(&self, count: u32, region: &Region, from: &Region) -> Option<u32> {
        if region.isa != Isa::Data {
            return Some(count);
        }
        let end = self.old.file.next_unique(self.old_at);
        if end - self.old_at >= count * 4 {
            return Some(count);
        }
        let (mut at, mut old_at, mut items) = (self.at, self.old_at, 0);
        while items < count && old_at < end {
            let size = self.old.cut(old_at, from, at, region).size();
            (at, old_at, items) = (at + size, old_at + size, items + 1);
        }
        let items = if old_at > end { items - 1 } else { items };
        (items >= SHORT_BLOCK).then_some(items)
    }

    /// Plans a block; an encoder learns whether all is as predicted, and plans no further than that.
    fn plan(&mut self, region: &Region, from: &Region, count: u32) -> bool {
        let (mut at, mut old_at) = (self.at, self.old_at);
        self.planned.clear();
        for _ in 0..count {
            let item = self.old.cut(old_at, from, at, region);
            let before = item.body(self.old.file.bytes, old_at);
            let prediction = self.renames.predict(&item, before, region.isa);
            if let Some(source) = &self.source {
                let stamp = self.old.new_stamp.unwrap_or(0);
                let jumps = at != self.at && source.jumps(at, old_at);
                if jumps || !is_as_predicted(source.file, at, region, &item, &prediction, stamp) {
                    return false;
                }
            }
            self.planned.push(Planned { item, before, prediction });
            at += item.size();
            old_at += item.size();
        }
        true
    }

    /// Codes one item for which the old file has an item.
    fn item(&mut self, region: &Region, item: &Item, wish: Wish) -> Result<(), DeltaError> {
        let before = item.body(self.old.file.bytes, self.old_at);
        let prediction = self.renames.predict(item, before, region.isa);
        let form = self.form(region, item);
        let hash = item.hash(&before);
        let renamed = match prediction.other {
            None => 0,
            Some(_) => 1 + u32::from(prediction.renamed_first),
        };
        let evidence = self.hit_evidence(region, item, form, hash, renamed);
        let hit = self.models.decide(Class::Hit, &evidence, wish.hit);
        self.history.hits = self.history.hits << 1 | u32::from(hit);
        if hit {
            if self.matcher.old() == Some(self.old_at) {
                self.matcher.hit(item.size());
            } else {
                self.matcher.lose();
            }
            self.take_over(item, &before, &prediction, region.isa);
            self.history.run += 1;
            let [last, _, third] = self.history.forms;
            self.history.forms = [form, last, third];
            return Ok(());
        }

        (self.history.run, self.doubtful) = (0, false);
        if self.matcher.old() == Some(self.old_at) {
            self.matcher.let_go();
        }
        self.matcher.find(&self.history, region.isa);
        let operation = self.wished_operation(region, item, &prediction, wish);
        let evidence = self.operation_evidence(region, item, form, renamed);
        let operation = self.models.code(Class::Operation, &evidence, operation, 2);
        self.history.operations = self.history.operations << 2 | operation;
        match operation {
            0 | 1 => self.literal(region, Some(item), operation == 0),
            2 => self.jump(region, wish.jump),
            _ => {
                self.renames.judge(&prediction, false);
                let body = prediction.other.unwrap_or_default();
                self.copy(item, &before, &body, region.isa);
                self.matcher.let_go();
                Ok(())
            }
        }
    }

    /// Returns a number for what an item is.
    fn form(&self, region: &Region, item: &Item) -> u32 {
        let kind = item.kind.number() << 12;
        if region.isa == Isa::Data {
            let old = crate::bytes::byte(self.old.file.bytes, self.old_at).unwrap_or(0);
            kind | 0xf00 | u32::from(old & 0x80) | self.old.file.class(self.old_at) << 16
        } else {
            u32::from(item.instruction.opcode) | u32::from(item.instruction.map) << 8 | kind
        }
    }

    fn hit_evidence(&self, region: &Region, item: &Item, form: u32, hash: u32, renamed: u32) -> Evidence {
        let isa = region.isa.number();
        let (hits, run) = (self.history.hits, range(self.history.run));
        let kind = item.kind.number();
        let [last, ..] = self.history.forms;
        let agrees = match self.matcher.old() {
            None => {
                if self.matcher.at.is_none() {
                    0
                } else {
                    2
                }
            }
            Some(at) => {
                if at == self.old_at {
                    1
                } else {
                    2
                }
            }
        };
        let mark = if region.isa == Isa::Data { form >> 16 } else { 0 };
        let doubt = if self.doubtful { range(self.single + 1) } else { 0 };
        let mut evidence = Class::Hit.evidence();
        evidence.context(hash, hits & 1 | renamed << 1);
        evidence.context(form, last ^ renamed << 30);
        evidence.context(crate::model::hash(hash, self.history.last()), 0);
        evidence
            .context(agrees | self.matcher.length.min(15) << 2, run | item.references() << 8 | renamed << 12);
        evidence.context(self.history.operations & 255, hits & 3 | kind << 4);
        evidence.context(doubt << 2 | isa, kind | renamed << 4);
        let situation = run * 16 + (hits & 15) + 256 * code_situation(isa, renamed);
        let agreement = agrees * 16 + kind.min(3) * 4 + isa;
        evidence.select(situation);
        evidence.select(agreement);
        evidence.select(doubt * 16 + (hits & 3) * 4 + isa);
        evidence.count(situation);
        evidence.count(if isa == 0 { 768 | mark } else { isa << 8 | hits & 255 });
        evidence.count(agreement);
        let opcode = u32::from(item.instruction.opcode) | u32::from(item.instruction.map & 3) << 8;
        evidence.count(isa << 10 | opcode);
        evidence.count(doubt << 2 | isa);
        evidence.refine(if doubt > 0 { 128 + doubt * 4 + isa } else { run * 8 + (hits & 7) });
        evidence
    }

    fn operation_evidence(&self, region: &Region, item: &Item, form: u32, renamed: u32) -> Evidence {
        let isa = region.isa.number();
        let (hits, operations) = (self.history.hits, self.history.operations);
        let [last, ..] = self.history.forms;
        let matched = match (self.matcher.at, self.matcher.old()) {
            (None, _) => 0,
            (Some(_), Some(_)) => 1 + u32::from(self.matcher.length > 5),
            (Some(_), None) => 3,
        };
        let mut evidence = Class::Operation.evidence();
        evidence.context(matched | item.kind.number() << 4, operations & 15 | hits << 8 & 0xf00);
        evidence.context(form, operations & 3 | renamed << 2);
        evidence.context(last, operations & 3 | renamed << 2);
        evidence.context(range(operations.leading_zeros()), hits & 255);
        let situation = (operations & 15) * 4 + matched + 64 * code_situation(isa, renamed);
        evidence.select(situation);
        evidence.count(situation);
        evidence.count(isa << 8 | operations & 255);
        evidence
    }

    /// Returns what an encoder wants done where an item is not as predicted.
    fn wished_operation(&self, region: &Region, item: &Item, prediction: &Prediction, wish: Wish) -> u32 {
        let Some(source) = &self.source else { return 0 };
        if wish.jump.is_some() {
            return 2;
        }
        if wish.insert {
            return 1;
        }
        let other = prediction.other.is_some_and(|other| {
            let new = source.file.item(self.at, region);
            new.is_formed_like(item) && new.body(source.file.bytes, self.at) == other
        });
        if other { 3 } else { 0 }
    }

    /// Takes over the old item under the pointer as predicted.
    fn take_over(&mut self, item: &Item, before: &Body, prediction: &Prediction, isa: Isa) {
        self.renames.judge(prediction, true);
        self.copy(item, before, &prediction.body, isa);
    }

    /// Takes over the old item under the pointer with this body; both sides go on.
    fn copy(&mut self, item: &Item, before: &Body, after: &Body, isa: Isa) {
        let size = item.size();
        if item.kind == ItemKind::TimeStamp {
            put_u32(&mut self.new, self.at, self.old.new_stamp.unwrap_or(0));
        } else {
            put(&mut self.new, self.at, after.get(..size as usize).unwrap_or_default());
            for field in item.fields() {
                let place = u32::from(field.at);
                self.refer(self.at + place, field.reference, Association::Twin(self.old_at + place));
            }
            self.renames.learn(item, before, after, &item.instruction, isa);
            if isa == Isa::Alpha && item.kind == ItemKind::Instruction {
                self.offsets.note(u32_at(after, 0));
            }
        }
        self.history.push(item.hash(after));
        self.runs.add(self.old_at, self.at, size);
        self.at += size;
        self.old_at += size;
    }

    /// Lists a reference of the new file.
    pub(crate) fn refer(&mut self, at: u32, reference: Reference, association: Association) {
        match reference {
            Reference::High => self.high.insert(at / 4),
            Reference::Low => self.low.insert(at / 4),
            _ => {}
        }
        self.references.push(Listed { at, reference, association });
    }
}

/// Returns which of seven situations a prediction is in: data, or code and what renames say.
fn code_situation(isa: u32, renamed: u32) -> u32 {
    if isa == 0 { 0 } else { (isa - 1) * 3 + renamed + 1 }
}

/// Tells whether the item of the source at a position is as predicted from an old item.
fn is_as_predicted(
    file: &File<'_>,
    at: u32,
    region: &Region,
    old: &Item,
    prediction: &Prediction,
    stamp: u32,
) -> bool {
    if old.kind == ItemKind::TimeStamp {
        return crate::bytes::try_u32(file.bytes, at) == Some(stamp);
    }
    let new = file.item(at, region);
    new.is_formed_like(old) && new.body(file.bytes, at) == prediction.body
}
