//! Everything that is learned while a delta is coded, and where it all begins.
//!
//! One predictor for each class of symbols, made when its class is first met, with what they share; and plain counters
//! for what needs no more. The shapes below are part of the format.

use crate::coder::Coder;
use crate::model::counter::Counter;
use crate::model::{Evidence, Predictor, Shape, Shared, Table};
use crate::start::Start;

/// A class of symbols, each with a predictor of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Whether an item is as the old file and what was learned predict.
    Hit,
    /// What happens where it is not.
    Operation,
    /// How a jump finds its place.
    Jump,
    /// Parts of numbers.
    Number,
    /// Kinds of new items, and which of their fields are references.
    Form,
    /// Bytes of data.
    Byte,
    /// Bytes of i386 instructions.
    Instruction,
    /// Fields of Alpha words.
    Word,
    /// Whether a candidate is a reference's target.
    Candidate,
    /// Bytes of a target that no candidate names.
    Address,
    /// 8-bit distances that no candidate names.
    Distance,
}

impl Class {
    /// How many there are.
    pub(crate) const COUNT: usize = 11;

    /// Begins the evidence for a symbol of the class.
    #[inline]
    pub(crate) fn evidence(self) -> Evidence {
        Evidence::new(self as u32 * 32 + 1)
    }

    /// All of them, in the order of their numbers.
    pub(crate) const ALL: [Self; Self::COUNT] = [
        Self::Hit,
        Self::Operation,
        Self::Jump,
        Self::Number,
        Self::Form,
        Self::Byte,
        Self::Instruction,
        Self::Word,
        Self::Candidate,
        Self::Address,
        Self::Distance,
    ];

    /// Returns a number that changes with any shape: trained state is for one.
    pub(crate) fn fingerprint() -> u32 {
        Self::ALL.iter().fold(0, |so_far, class| {
            let Shape { bits, contexts, expectations, selectors, direct, refinements, hinted } =
                class.shape();
            let few = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
            let scalars = [bits, few(contexts), few(expectations), refinements, u32::from(hinted)];
            let lists = [few(selectors.len()), few(direct.len())];
            let all = scalars.iter().chain(&lists).chain(selectors).chain(direct);
            all.fold(so_far, |so_far, number| crate::model::hash(so_far, *number))
        })
    }

    fn shape(self) -> Shape {
        let shape = Shape {
            bits: 8,
            contexts: 0,
            expectations: 0,
            selectors: &[],
            direct: &[],
            refinements: 0,
            hinted: false,
        };
        match self {
            Self::Hit => Shape {
                bits: 1,
                contexts: 6,
                selectors: &[2048, 256, 256],
                direct: &[2048, 1024, 256, 4096, 64],
                refinements: 256,
                ..shape
            },
            Self::Operation => {
                Shape { bits: 2, contexts: 4, selectors: &[512], direct: &[512, 1024], ..shape }
            }
            Self::Jump => Shape { bits: 3, contexts: 5, selectors: &[64], direct: &[64], ..shape },
            Self::Number => Shape { bits: 6, contexts: 3, selectors: &[128], direct: &[128], ..shape },
            Self::Form => Shape { bits: 2, contexts: 4, selectors: &[64], direct: &[64, 1024], ..shape },
            Self::Byte => Shape {
                contexts: 14,
                expectations: 2,
                selectors: &[2048, 1024],
                direct: &[32],
                refinements: 1,
                ..shape
            },
            Self::Instruction => Shape {
                contexts: 14,
                expectations: 2,
                selectors: &[2048, 1024, 256],
                direct: &[32],
                refinements: 128,
                ..shape
            },
            Self::Word => Shape {
                contexts: 10,
                expectations: 3,
                selectors: &[2048, 1024, 1024],
                direct: &[64],
                refinements: 128,
                ..shape
            },
            Self::Candidate => Shape {
                bits: 1,
                contexts: 4,
                selectors: &[8192, 512],
                direct: &[8192, 8192],
                refinements: 4096,
                ..shape
            },
            Self::Address => Shape {
                contexts: 7,
                expectations: 4,
                selectors: &[256, 64],
                direct: &[128],
                hinted: true,
                ..shape
            },
            Self::Distance => {
                Shape { contexts: 7, expectations: 2, selectors: &[256], direct: &[2], ..shape }
            }
        }
    }
}

/// A decision that a single counter predicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flag {
    /// Whether the new file is as long as the old one.
    SameSize,
    /// Whether both files are plain bytes, though they may be images.
    Plain,
    /// Whether the contexts of literals are taught the old file first.
    Prime,
    /// Whether the new image's Rich header is masked.
    Rich,
    /// Whether the new image's checksum is computed.
    Checksum,
    /// Whether the headers are as long as the old file's.
    SameHeaders,
    /// Whether the relocations are written from the references.
    Regenerate,
    /// Whether low halves have relocations.
    LowRelocations,
    /// Whether a jump follows where the old file has ended, in data and in code.
    JumpFromEnd { code: bool },
    /// Whether a near target lies before its reference, on i386 and on Alpha.
    Backward { alpha: bool },
    /// Whether a low half belongs to the high half before it.
    Paired,
}

impl Flag {
    /// Its counter, and how slow that becomes.
    fn place(self) -> (u32, u32) {
        match self {
            Self::SameSize => (6, 10),
            Self::Plain => (5, 10),
            Self::Prime => (3, 10),
            Self::Rich => (7, 10),
            Self::Checksum => (4, 10),
            Self::SameHeaders => (0, 10),
            Self::Regenerate => (1, 10),
            Self::LowRelocations => (2, 10),
            Self::JumpFromEnd { code } => (16 + u32::from(code), 60),
            Self::Backward { alpha } => (50 + u32::from(alpha), 60),
            Self::Paired => (60, 400),
        }
    }
}

/// Binary logarithms of the least and the most bytes for bit histories.
const MIN_SLOTS: u32 = 16;
const MAX_SLOTS: u32 = 23;

/// All that is learned, and the coder that it is for.
#[derive(Debug)]
pub struct Models<C> {
    pub(crate) coder: C,
    start: Start,
    pub(crate) shared: Shared,
    predictors: [Option<Box<Predictor>>; Class::COUNT],
    flags: Table<Counter>,
    blocks: Table<Counter>,
}

impl<C: Coder> Models<C> {
    /// Begins. The one place where initial state is made.
    pub(crate) fn new(coder: C, start: Start) -> Self {
        let mut models = Self {
            coder,
            start,
            shared: Shared::new(MIN_SLOTS),
            predictors: [const { None }; Class::COUNT],
            flags: Table::new(64, Counter::new(32_768, 0)),
            blocks: Table::new(512, Counter::new(60_000, 4)),
        };
        let Self { start, shared, flags, blocks, .. } = &mut models;
        if let Some(mut notes) = start.notes(Class::COUNT) {
            for table in [flags, blocks] {
                notes.counters(table, |x| shared.squash(x), |_| None);
            }
        }
        models
    }

    /// Returns the coder, once all is coded.
    pub fn into_coder(self) -> C {
        self.coder
    }

    /// Returns the predictor of a class, if it was met.
    pub(crate) fn predictor(&mut self, class: Class) -> Option<&mut Predictor> {
        self.predictors.get_mut(class as usize)?.as_deref_mut()
    }

    /// Returns the counters of flags and blocks.
    pub(crate) fn plain(&mut self) -> [&mut Table<Counter>; 2] {
        [&mut self.flags, &mut self.blocks]
    }

    /// Makes a predictor as it begins.
    pub(crate) fn first(class: Class, start: &Start, shared: &Shared) -> Box<Predictor> {
        let mut predictor = Box::new(Predictor::new(&class.shape(), shared));
        if let Some(mut notes) = start.notes(class as usize) {
            predictor.begin(&mut notes, shared, &());
        }
        predictor
    }

    /// Makes room for what is coded of an old and a new file of that many bytes together; forgets what contexts have seen.
    pub(crate) fn make_room(&mut self, bytes: u32) {
        // Enough for files that differ much; less where clearing it would take longer than coding.
        let bits = bytes.saturating_mul(4).checked_ilog2().unwrap_or(0);
        self.shared.set_slots(bits.clamp(MIN_SLOTS, MAX_SLOTS));
    }

    /// Codes a symbol of `bits` bits.
    #[inline]
    pub(crate) fn code(&mut self, class: Class, evidence: &Evidence, wish: u32, bits: u32) -> u32 {
        self.code_hinted(class, evidence, wish, bits, |_, _, _| [0, 0])
    }

    /// Codes a symbol with hints, see [`Predictor::code_hinted`].
    pub(crate) fn code_hinted(
        &mut self,
        class: Class,
        evidence: &Evidence,
        wish: u32,
        bits: u32,
        hint: impl Fn(&Shared, u32, u32) -> [i16; 2],
    ) -> u32 {
        let Self { coder, shared, predictors, start, .. } = self;
        let Some(predictor) = predictors.get_mut(class as usize) else { return 0 };
        let predictor = predictor.get_or_insert_with(|| Self::first(class, start, shared));
        predictor.code_hinted(shared, coder, evidence, wish, bits, hint)
    }

    /// Codes a decision.
    #[inline]
    pub(crate) fn decide(&mut self, class: Class, evidence: &Evidence, wish: bool) -> bool {
        self.code(class, evidence, u32::from(wish), 1) == 1
    }

    /// Codes a decision that a single counter predicts.
    pub(crate) fn flag(&mut self, flag: Flag, wish: bool) -> bool {
        let (place, limit) = flag.place();
        let counter = self.flags.at_mut(place);
        let decision = self.coder.decide(wish, counter.probability().clamp(32, 65_504));
        counter.learn(&self.shared.rates, decision, limit);
        decision
    }

    /// Codes whether a whole block of items is as predicted; `situation` is below 512.
    pub(crate) fn block(&mut self, situation: u32, wish: bool) -> bool {
        let counter = self.blocks.at_mut(situation);
        let decision = self.coder.decide(wish, counter.probability().clamp(16, 65_520));
        counter.learn(&self.shared.rates, decision, 400);
        decision
    }

    /// Codes a number of any size below `u32::MAX`, small ones in few bits: the length of the number above it in binary, five
    /// bits, then its bits below the first; the uppermost four and the last six or fewer are modelled. `kind` is below 64.
    pub(crate) fn number(&mut self, kind: u32, recent: u32, wish: u32) -> u32 {
        let above = u64::from(wish) + 1;
        let mut evidence = Class::Number.evidence();
        evidence.context(1, kind);
        evidence.context(2, kind);
        evidence.context(3, kind << 8 | recent & 15);
        evidence.select(kind);
        evidence.count(kind);
        let len = self.code(Class::Number, &evidence, above.ilog2().min(31), 5);
        let (mut left, mut number) = (len, 1_u64);
        while left > 0 {
            let first = left == len;
            let take = left.min(if first { 4 } else { 6 });
            let part = u32::try_from(above >> (left - take) & ((1 << take) - 1)).unwrap_or(0);
            let part = if first || left <= 6 {
                let mut evidence = Class::Number.evidence();
                evidence.context(4 + len, kind << 8 | u32::from(first));
                #[expect(clippy::cast_possible_truncation, reason = "the lower half of a hash's input")]
                evidence.context(5, crate::model::hash(kind, crate::model::hash(number as u32, len)));
                evidence.context(6, kind << 6 | left);
                evidence.select(kind + 64);
                evidence.count(64 | kind);
                self.code(Class::Number, &evidence, part, take)
            } else {
                (0..take).rev().fold(0, |bits, bit| {
                    bits << 1 | u32::from(self.coder.decide(part >> bit & 1 == 1, 32_768))
                })
            };
            number = number << take | u64::from(part);
            left -= take;
        }
        u32::try_from(number - 1).unwrap_or(u32::MAX)
    }
}
