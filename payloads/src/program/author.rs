//! Writes programs: the functions, statement by statement, and the data they refer to.
//!
//! Statements are idioms (call and check, log, walk a string, switch ...) with skewed choices, so that the
//! result repeats itself about as much as compiled code does.

use super::words::{export_name, imports, sentence};
use super::{
    Argument, Compute, Contents, Datum, DatumId, Function, FunctionId, ImportId, KEPT, Label, Op, Operand,
    Program, Reg, Storage, Target, Test, Width,
};
use crate::bytes::count;
use crate::prng::Prng;

/// Functions below this number are the program's helpers, which all others call.
const HELPERS: u32 = 48;

const FIELDS: &[u32] = &[
    0, 4, 8, 0x0c, 0x10, 0x14, 0x18, 0x1c, 0x20, 0x24, 0x28, 0x30, 0x34, 0x3c, 0x40, 0x44, 0x58, 0x60, 0x74,
    0x88, 0xa0, 0xc4, 0x104, 0x108, 0x20c, 0x214, 0x40c,
];

const CONSTANTS: &[u32] = &[
    0,
    1,
    2,
    4,
    0xffff_ffff,
    3,
    8,
    0x10,
    5,
    0x104,
    0x57,
    0x20,
    0x40,
    0x64,
    0xff,
    0x100,
    0x3e8,
    0x8000_4005,
    0x400,
    0x8007_0057,
    0x8007_000e,
    0x7a,
    0xea,
    0x102,
    0x7fff,
    0xc000_0000,
    0x000f_003f,
    0x1_0000,
];

const SCRATCH: &[Reg] = &[Reg::Result, Reg::ScratchA, Reg::ScratchB];

const COMPUTE: &[Compute] = &[
    Compute::Add,
    Compute::Subtract,
    Compute::And,
    Compute::Or,
    Compute::ShiftLeft,
    Compute::ExclusiveOr,
    Compute::ShiftRight,
    Compute::Multiply,
];

const TESTS: &[Test] = &[
    Test::Equal,
    Test::NotEqual,
    Test::Less,
    Test::GreaterOrEqual,
    Test::Greater,
    Test::LessOrEqual,
    Test::Above,
    Test::Below,
];

/// Writes the program `stem` with `population` functions.
///
/// Functions are seeded one by one, so that programs of one stem and different populations are alike.
/// `narrow` is the share of string handling, in percent of the statements.
pub(crate) fn write_program(stem: &str, population: u32, narrow: u32, kind: Exports) -> Program {
    let mut prng = Prng::seeded(&[stem, "program"]);
    let mut program = Program {
        functions: Vec::new(),
        data: Vec::new(),
        imports: imports().filter(|_| prng.chance(80)).collect(),
        exports: Vec::new(),
        entry: FunctionId(0),
        next_function: population,
        next_datum: 0,
    };
    let callees: Vec<FunctionId> = (0..population).map(FunctionId).collect();
    for id in &callees {
        let seed = id.0.to_string();
        let mut author = Author {
            prng: Prng::seeded(&[stem, "function", &seed]),
            program: &mut program,
            callees: &callees,
            narrow,
            shelf: Shelf::End,
        };
        let function = author.function(*id);
        program.functions.push(function);
    }
    if kind == Exports::Some {
        for place in 0..12 {
            let id = FunctionId((place * 7 + 3).min(population.saturating_sub(1)));
            let name = export_name(stem, &mut prng);
            if program.exports.iter().all(|(known, _)| *known != name) {
                program.exports.push((name, id));
            }
        }
        program.exports.sort();
    }
    program
}

/// Whether a program offers functions to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exports {
    None,
    Some,
}

/// Where an author's new data go.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shelf {
    /// Behind all others.
    End,
    /// Before the datum of this index.
    Before(usize),
}

/// Writes functions and statements of one program.
pub(super) struct Author<'a> {
    pub(super) prng: Prng,
    pub(super) program: &'a mut Program,
    /// All functions that may be called, in link order.
    pub(super) callees: &'a [FunctionId],
    pub(super) narrow: u32,
    pub(super) shelf: Shelf,
}

impl Author<'_> {
    /// A new function under the given identity.
    pub(super) fn function(&mut self, id: FunctionId) -> Function {
        let mut function = Function {
            id,
            kept: self.prng.skewed(4),
            locals: if self.prng.chance(45) { 1 + self.prng.skewed(40) } else { 0 },
            ops: Vec::new(),
            labels: 0,
        };
        let exit = function.label();
        let mut ops = Vec::new();
        for (index, to) in (0..id.parameters()).zip(KEPT).take(usize_of(function.kept)) {
            ops.push(Op::Parameter { to, index });
        }
        for _ in 0..2 + self.prng.skewed(26) {
            self.statement(&mut function, exit, 0, &mut ops);
        }
        if self.prng.chance(60) {
            ops.push(Op::Const { to: Reg::Result, value: self.prng.skewed(2) });
        }
        ops.extend([Op::Label(exit), Op::Return]);
        function.ops = ops;
        self.tables();
        function
    }

    /// Appends one statement to `ops`; `exit` is the label before the function's return.
    pub(super) fn statement(&mut self, function: &mut Function, exit: Label, depth: u32, ops: &mut Vec<Op>) {
        if self.prng.chance(self.narrow) {
            return self.string_walk(function, ops);
        }
        match self.prng.below(100) {
            0..22 => self.call_and_check(function, exit, ops),
            22..34 => self.log(function, ops),
            34..46 => self.import(function, ops),
            46..56 => self.fields(function, ops),
            56..64 => self.global(function, ops),
            64..72 => self.arithmetic(function, ops),
            72..80 => self.virtual_call(function, ops),
            80..84 => ops.extend([Op::Const { to: Reg::Result, value: self.constant() }, Op::Jump(exit)]),
            84..86 if depth == 0 => self.switch(function, exit, ops),
            _ if depth < 3 => self.condition(function, exit, depth, ops),
            _ => self.fields(function, ops),
        }
    }

    fn call_and_check(&mut self, function: &mut Function, exit: Label, ops: &mut Vec<Op>) {
        let callee = self.callee(function.id);
        let arguments = self.arguments(function, callee.parameters());
        ops.push(Op::Call { callee, arguments });
        match self.prng.below(10) {
            0..4 => ops.push(Op::Branch {
                test: self.prng.pick_skewed(TESTS),
                left: Reg::Result,
                right: Operand::Const(0),
                to: exit,
            }),
            4..6 => {
                let to = self.kept(function);
                ops.push(Op::Move { to, from: Reg::Result });
            }
            _ => {}
        }
    }

    fn log(&mut self, function: &mut Function, ops: &mut Vec<Op>) {
        let text = self.string();
        let helper = FunctionId(self.prng.skewed(6) * 8 + 1);
        let callee =
            if self.callees.binary_search(&helper).is_ok() { helper } else { self.callee(function.id) };
        let mut arguments = self.arguments(function, callee.parameters());
        if let Some(first) = arguments.first_mut() {
            *first = Argument::Address(text);
        }
        ops.push(Op::Call { callee, arguments });
    }

    fn import(&mut self, function: &mut Function, ops: &mut Vec<Op>) {
        let import = ImportId(self.prng.skewed(count(&self.program.imports)));
        // The same function always takes the same number of arguments.
        let arguments = self.arguments(function, 1 + import.0 % 4);
        ops.push(Op::CallImport { import, arguments });
        if self.prng.chance(30) {
            let from = Reg::Result;
            match self.local(function) {
                Some(slot) => ops.push(Op::StoreLocal { slot, from }),
                None => ops.push(Op::Store {
                    base: self.kept(function),
                    offset: self.field(),
                    from,
                    width: Width::Long,
                }),
            }
        }
    }

    fn fields(&mut self, function: &mut Function, ops: &mut Vec<Op>) {
        let base = self.kept(function);
        for _ in 0..=self.prng.skewed(4) {
            let scratch = self.prng.pick_skewed(SCRATCH);
            match self.prng.below(4) {
                0 => ops.push(Op::StoreConst { base, offset: self.field(), value: self.prng.skewed(4) }),
                1 => ops.push(Op::Load { to: scratch, base, offset: self.field(), width: Width::Long }),
                2 => match self.local(function) {
                    Some(slot) if self.prng.chance(20) => ops.push(Op::AddressOfLocal { to: scratch, slot }),
                    Some(slot) => ops.push(Op::LoadLocal { to: scratch, slot }),
                    None => {
                        ops.push(Op::Load { to: scratch, base, offset: self.field(), width: Width::Long })
                    }
                },
                _ => ops.extend([
                    Op::Load { to: scratch, base, offset: self.field(), width: Width::Long },
                    Op::Store { base, offset: self.field(), from: scratch, width: Width::Long },
                ]),
            }
        }
    }

    fn global(&mut self, function: &Function, ops: &mut Vec<Op>) {
        let (target, size) = self.variable();
        let addend = if size > 4 { self.prng.skewed(size / 4) * 4 } else { 0 };
        let to = self.prng.pick_skewed(SCRATCH);
        if self.prng.chance(20) {
            return ops.push(Op::AddressOf { to: self.kept(function), target });
        }
        ops.push(Op::LoadFrom { to, target, addend });
        match self.prng.below(3) {
            0 => ops.extend([
                Op::Compute { compute: Compute::Add, to, by: Operand::Const(1) },
                Op::StoreTo { target, addend, from: to },
            ]),
            1 => ops.push(Op::StoreTo { target, addend, from: Reg::KeptA }),
            _ => {}
        }
    }

    fn arithmetic(&mut self, function: &mut Function, ops: &mut Vec<Op>) {
        let to = self.prng.pick_skewed(SCRATCH);
        let from = self.kept(function);
        ops.push(Op::Move { to, from });
        for _ in 0..=self.prng.skewed(3) {
            let compute = self.prng.pick_skewed(COMPUTE);
            let by = match compute {
                Compute::ShiftLeft | Compute::ShiftRight => Operand::Const(1 + self.prng.skewed(16)),
                _ if self.prng.chance(60) => Operand::Const(self.constant().max(1)),
                Compute::Multiply => Operand::Const(12),
                _ => Operand::Reg(self.prng.pick(SCRATCH)),
            };
            ops.push(Op::Compute { compute, to, by });
        }
        if let Some(slot) = self.local(function) {
            ops.push(Op::StoreLocal { slot, from: to });
        }
    }

    fn virtual_call(&mut self, function: &mut Function, ops: &mut Vec<Op>) {
        let object = self.kept(function);
        let offset = self.prng.skewed(20) * 4;
        let mut arguments = self.arguments(function, self.prng.clone().skewed(3));
        arguments.insert(0, Argument::Reg(object));
        ops.push(Op::Load { to: Reg::ScratchA, base: object, offset: 0, width: Width::Long });
        ops.push(Op::CallThrough { table: Reg::ScratchA, offset, arguments });
    }

    /// Reads a string byte by byte, and copies it or looks for a character.
    fn string_walk(&mut self, function: &mut Function, ops: &mut Vec<Op>) {
        let again = function.label();
        let width = if self.prng.chance(85) { Width::Byte } else { Width::Word };
        let step = if width == Width::Byte { 1 } else { 2 };
        let (source, other) = (self.kept(function), self.kept(function));
        let read = self.prng.pick_skewed(&[Reg::ScratchA, Reg::Result, Reg::ScratchB]);
        ops.push(Op::Label(again));
        ops.push(Op::Load { to: read, base: source, offset: self.prng.skewed(3) * step, width });
        if self.prng.chance(60) {
            ops.push(Op::Store { base: other, offset: self.prng.skewed(3) * step, from: read, width });
        } else {
            let out = function.label();
            let wanted = u32::from(self.prng.pick_skewed(b"\\ /:\"%.\n;=,"));
            ops.push(Op::Branch { test: Test::Equal, left: read, right: Operand::Const(wanted), to: out });
            ops.push(Op::Compute { compute: Compute::Add, to: other, by: Operand::Const(1) });
            ops.push(Op::Label(out));
        }
        ops.push(Op::Compute { compute: Compute::Add, to: source, by: Operand::Const(step) });
        ops.push(Op::Branch { test: Test::NotEqual, left: read, right: Operand::Const(0), to: again });
    }

    fn condition(&mut self, function: &mut Function, exit: Label, depth: u32, ops: &mut Vec<Op>) {
        let past = function.label();
        let left = if self.prng.chance(50) { Reg::Result } else { self.kept(function) };
        let right = match self.prng.below(10) {
            0..5 => Operand::Const(0),
            5..8 => Operand::Const(self.constant()),
            _ => Operand::Reg(Reg::ScratchA),
        };
        ops.push(Op::Branch { test: self.prng.pick_skewed(TESTS), left, right, to: past });
        for _ in 0..=self.prng.skewed(4) {
            self.statement(function, exit, depth + 1, ops);
        }
        if self.prng.chance(25) {
            let end = function.label();
            ops.extend([Op::Jump(end), Op::Label(past)]);
            self.statement(function, exit, depth + 1, ops);
            ops.push(Op::Label(end));
        } else {
            ops.push(Op::Label(past));
        }
    }

    fn switch(&mut self, function: &mut Function, exit: Label, ops: &mut Vec<Op>) {
        let cases: Vec<Label> = (0..3 + self.prng.skewed(9)).map(|_| function.label()).collect();
        let targets = cases.iter().map(|label| Target::Label(function.id, *label)).collect();
        let last = Operand::Const(count(&cases) - 1);
        let table = self.shelve(Storage::ReadOnly, Contents::Pointers(targets));
        ops.push(Op::Branch { test: Test::Above, left: Reg::Result, right: last, to: exit });
        ops.push(Op::Switch { index: Reg::Result, table });
        for case in cases {
            ops.push(Op::Label(case));
            self.statement(function, exit, 2, ops);
            if self.prng.chance(70) {
                ops.push(Op::Jump(exit));
            }
        }
    }

    /// Now and then a table: of functions (as classes have), of strings, or of numbers.
    fn tables(&mut self) {
        match self.prng.below(100) {
            0..6 => {
                let first = self.prng.index(self.callees.len());
                let length = 4 + usize_of(self.prng.skewed(16));
                let members =
                    self.callees.iter().skip(first).take(length).map(|id| Target::Function(*id)).collect();
                self.shelve(Storage::ReadOnly, Contents::Pointers(members));
            }
            6..9 => {
                let strings = (0..3 + self.prng.skewed(12)).map(|_| self.string()).collect();
                self.shelve(Storage::Writable, Contents::Pointers(strings));
            }
            9..16 => {
                let mut value = self.prng.below(0x4000);
                let step = self.prng.skewed(0x80);
                let numbers = (0..4 + self.prng.skewed(40))
                    .map(|_| {
                        value += 1 + self.prng.skewed(step + 1);
                        value
                    })
                    .collect();
                self.shelve(Storage::ReadOnly, Contents::Words(numbers));
            }
            16..20 => {
                // An interface identifier.
                let words = (0..4).map(|_| self.prng.below(u32::MAX)).collect();
                self.shelve(Storage::ReadOnly, Contents::Words(words));
            }
            _ => {}
        }
    }

    /// A new string; now and then one that exists.
    pub(super) fn string(&mut self) -> Target {
        if self.prng.chance(35) {
            let data = &self.program.data;
            let start = self.prng.index(data.len());
            let known =
                data.iter().skip(start).take(50).find(|datum| matches!(datum.contents, Contents::Text(_)));
            if let Some(datum) = known {
                return Target::Datum(datum.id);
            }
        }
        let text = sentence(&mut self.prng);
        Target::Datum(self.shelve(Storage::Writable, Contents::Text(text)))
    }

    /// A variable and its size in bytes.
    fn variable(&mut self) -> (Target, u32) {
        if self.prng.chance(80) {
            let recent = self.program.data.iter().rev().take(400);
            let known: Vec<(Target, u32)> = recent
                .filter_map(|datum| match &datum.contents {
                    Contents::Zeros(size) => Some((Target::Datum(datum.id), *size)),
                    Contents::Words(words) if datum.storage == Storage::Writable => {
                        Some((Target::Datum(datum.id), count(words) * 4))
                    }
                    _ => None,
                })
                .collect();
            if !known.is_empty() {
                return self.prng.pick_skewed(&known);
            }
        }
        let words = self.prng.pick_skewed(&[1, 1, 2, 4, 6, 16, 65]);
        let datum = if self.prng.chance(60) {
            self.shelve(Storage::Zeroed, Contents::Zeros(words * 4))
        } else {
            let values = (0..words).map(|_| self.constant()).collect();
            self.shelve(Storage::Writable, Contents::Words(values))
        };
        (Target::Datum(datum), words * 4)
    }

    fn shelve(&mut self, storage: Storage, contents: Contents) -> DatumId {
        let id = DatumId(self.program.next_datum);
        self.program.next_datum += 1;
        let datum = Datum { id, storage, contents };
        match &mut self.shelf {
            Shelf::End => self.program.data.push(datum),
            Shelf::Before(index) => {
                self.program.data.insert(*index, datum);
                *index += 1;
            }
        }
        id
    }

    /// A function to call from `caller`: one of the helpers, or a neighbour.
    fn callee(&mut self, caller: FunctionId) -> FunctionId {
        let last = count(self.callees).saturating_sub(1);
        let index = if self.prng.chance(55) {
            self.prng.skewed(HELPERS)
        } else {
            let here = self.callees.binary_search(&caller).map_or(last, |index| {
                u32::try_from(index).expect("an index of a list that was counted above")
            });
            let distance = 1 + self.prng.skewed(60);
            if self.prng.chance(50) { here.saturating_sub(distance) } else { here + distance }
        };
        *self.callees.get(usize_of(index.min(last))).expect("a program has functions")
    }

    fn arguments(&mut self, function: &Function, number: u32) -> Vec<Argument> {
        (0..number)
            .map(|_| match self.prng.below(100) {
                0..30 => Argument::Reg(self.kept(function)),
                30..38 => Argument::Reg(Reg::Result),
                38..64 => Argument::Const(self.constant()),
                64..72 => Argument::Address(self.string()),
                72..78 => Argument::Address(self.variable().0),
                78..80 => Argument::Address(Target::Function(self.callee(function.id))),
                which => match self.local(function) {
                    Some(slot) if which < 91 => Argument::Local(slot),
                    Some(slot) => Argument::AddressOfLocal(slot),
                    None => Argument::Const(0),
                },
            })
            .collect()
    }

    /// One of the function's kept registers; a scratch one if it has none.
    fn kept(&mut self, function: &Function) -> Reg {
        let kept: Vec<Reg> = KEPT.into_iter().take(usize_of(function.kept)).collect();
        if kept.is_empty() { Reg::ScratchB } else { self.prng.pick_skewed(&kept) }
    }

    fn local(&mut self, function: &Function) -> Option<u32> {
        (function.locals > 0).then(|| self.prng.skewed(function.locals))
    }

    fn field(&mut self) -> u32 {
        self.prng.pick_skewed(FIELDS)
    }

    pub(super) fn constant(&mut self) -> u32 {
        self.prng.pick_skewed(CONSTANTS)
    }
}

fn usize_of(value: u32) -> usize {
    usize::try_from(value).expect("u32 fits usize")
}
