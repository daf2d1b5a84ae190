//! Intel 386 code, in the manner of compilers of the time: `ebp` frames where there are locals, `esp` ones
//! elsewhere, arguments pushed, short jumps where they reach.

use std::collections::BTreeMap;

use super::{Code, Field, Fixup};
use crate::bytes::{Bytes, count};
use crate::program::{
    Argument, Cleanup, Compute, Function, KEPT, Label, Op, Operand, Reg, Target, Test, Width,
};

const EAX: u8 = 0;
const EBP: u8 = 5;

/// The bytes of a jump's short form.
const SHORT_JUMP: usize = 2;

/// A jump of a function, before its length is known.
#[derive(Debug, Clone, Copy)]
struct Jump {
    /// Where it begins, as if all jumps were short.
    at: u32,
    /// The condition code; none for a plain jump.
    condition: Option<u8>,
    to: Label,
}

#[derive(Debug)]
struct Encoder {
    bytes: Bytes,
    fixups: Vec<Fixup>,
    labels: BTreeMap<Label, u32>,
    jumps: Vec<Jump>,
    frame: Frame,
}

/// How a function finds its parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Frame {
    /// By `ebp`.
    Pointer,
    /// By `esp`, this many bytes below the return address.
    Omitted(u32),
}

pub(super) fn encode(function: &Function) -> Code {
    let frame = if function.locals == 0 { Frame::Omitted(function.kept * 4) } else { Frame::Pointer };
    let mut encoder = Encoder {
        bytes: Bytes::new(),
        fixups: Vec::new(),
        labels: BTreeMap::new(),
        jumps: Vec::new(),
        frame,
    };
    let kept = || KEPT.into_iter().zip(0..function.kept).map(|(reg, _)| number(reg));
    if frame == Frame::Pointer {
        encoder.bytes.put(&[0x55, 0x8b, 0xec]);
        encoder.immediate_group(5, 4, function.locals * 4);
    }
    for reg in kept() {
        encoder.bytes.u8(0x50 + reg);
    }
    let body = encoder.bytes.len();
    for op in &function.ops {
        encoder.op(op);
        if *op == Op::Return {
            let saved: Vec<u8> = kept().collect();
            for reg in saved.into_iter().rev() {
                encoder.bytes.u8(0x58 + reg);
            }
            if frame == Frame::Pointer {
                encoder.bytes.put(&[0x8b, 0xe5, 0x5d]);
            }
            match (function.id.cleanup(), function.id.parameters()) {
                (Cleanup::Caller, _) | (Cleanup::Callee, 0) => encoder.bytes.u8(0xc3),
                (Cleanup::Callee, parameters) => {
                    encoder.bytes.u8(0xc2);
                    encoder.bytes.u16(u16::try_from(parameters * 4).expect("at most four parameters"));
                }
            }
        }
    }
    encoder.relax(body)
}

pub(super) fn pad(text: &mut Bytes, end: u32) {
    while text.len() < end {
        text.u8(0xcc);
    }
}

fn number(reg: Reg) -> u8 {
    match reg {
        Reg::Result => EAX,
        Reg::ScratchA => 1,
        Reg::ScratchB => 2,
        Reg::KeptA => 6,
        Reg::KeptB => 7,
        Reg::KeptC => 3,
    }
}

/// The one-byte form of a value that is extended with its sign.
fn short(value: u32) -> Option<u8> {
    let [low, ..] = value.to_le_bytes();
    (!(0x80..0xffff_ff80).contains(&value)).then_some(low)
}

fn condition_code(test: Test) -> u8 {
    match test {
        Test::Below => 0x2,
        Test::Equal => 0x4,
        Test::NotEqual => 0x5,
        Test::Above => 0x7,
        Test::Less => 0xc,
        Test::GreaterOrEqual => 0xd,
        Test::LessOrEqual => 0xe,
        Test::Greater => 0xf,
    }
}

impl Encoder {
    fn op(&mut self, op: &Op) {
        match op {
            Op::Label(label) => {
                self.labels.insert(*label, self.bytes.len());
            }
            Op::Parameter { to, index } => match self.frame {
                Frame::Pointer => self.memory(&[0x8b], number(*to), EBP, 8 + index * 4),
                Frame::Omitted(pushed) => {
                    let offset = short(4 + pushed + index * 4).expect("at most four parameters");
                    self.bytes.put(&[0x8b, 0x44 | number(*to) << 3, 0x24, offset]);
                }
            },
            Op::Const { to, value: 0 } => self.registers(0x33, number(*to), number(*to)),
            Op::Const { to, value } => {
                self.bytes.u8(0xb8 + number(*to));
                self.bytes.u32(*value);
            }
            Op::Move { to, from } => self.registers(0x8b, number(*to), number(*from)),
            Op::Compute { compute, to, by } => self.compute(*compute, number(*to), *by),
            Op::Load { to, base, offset, width } => {
                let opcode: &[u8] = match width {
                    Width::Byte => &[0x0f, 0xb6],
                    Width::Word => &[0x0f, 0xb7],
                    Width::Long => &[0x8b],
                };
                self.memory(opcode, number(*to), number(*base), *offset);
            }
            Op::Store { base, offset, from, width } => {
                let opcode: &[u8] = match width {
                    Width::Byte => &[0x88],
                    Width::Word => &[0x66, 0x89],
                    Width::Long => &[0x89],
                };
                self.memory(opcode, number(*from), number(*base), *offset);
            }
            Op::StoreConst { base, offset, value } => {
                self.memory(&[0xc7], 0, number(*base), *offset);
                self.bytes.u32(*value);
            }
            Op::LoadLocal { to, slot } => self.memory(&[0x8b], number(*to), EBP, local(*slot)),
            Op::StoreLocal { slot, from } => self.memory(&[0x89], number(*from), EBP, local(*slot)),
            Op::AddressOfLocal { to, slot } => self.memory(&[0x8d], number(*to), EBP, local(*slot)),
            Op::AddressOf { to, target } => {
                self.bytes.u8(0xb8 + number(*to));
                self.absolute(*target, 0);
            }
            Op::LoadFrom { to, target, addend } => {
                match number(*to) {
                    EAX => self.bytes.u8(0xa1),
                    to => self.bytes.put(&[0x8b, 0x05 | to << 3]),
                }
                self.absolute(*target, *addend);
            }
            Op::StoreTo { target, addend, from } => {
                match number(*from) {
                    EAX => self.bytes.u8(0xa3),
                    from => self.bytes.put(&[0x89, 0x05 | from << 3]),
                }
                self.absolute(*target, *addend);
            }
            Op::Call { callee, arguments } => {
                self.push(arguments);
                self.bytes.u8(0xe8);
                let at = self.bytes.len();
                let target = Target::Function(*callee);
                self.fixups.push(Fixup { field: Field::Relative32 { at }, target, addend: 0 });
                self.bytes.u32(0);
                if callee.cleanup() == Cleanup::Caller && !arguments.is_empty() {
                    self.immediate_group(0, 4, count(arguments) * 4);
                }
            }
            Op::CallImport { import, arguments } => {
                self.push(arguments);
                self.bytes.put(&[0xff, 0x15]);
                self.absolute(Target::Import(*import), 0);
            }
            Op::CallThrough { table, offset, arguments } => {
                self.push(arguments);
                self.memory(&[0xff], 2, number(*table), *offset);
            }
            Op::Branch { test, left, right, to } => {
                let left = number(*left);
                match right {
                    Operand::Const(0) => self.registers(0x85, left, left),
                    Operand::Const(value) => self.immediate_group(7, left, *value),
                    Operand::Reg(right) => self.registers(0x3b, left, number(*right)),
                }
                self.jump(Some(condition_code(*test)), *to);
            }
            Op::Jump(to) => self.jump(None, *to),
            Op::Switch { index, table } => {
                // jmp [table + index * 4]
                self.bytes.put(&[0xff, 0x24, 0x85 | number(*index) << 3]);
                self.absolute(Target::Datum(*table), 0);
            }
            // The caller knows what was pushed.
            Op::Return => {}
        }
    }

    fn compute(&mut self, compute: Compute, to: u8, by: Operand) {
        match (compute, by) {
            (Compute::Add, Operand::Const(1)) => self.bytes.u8(0x40 + to),
            (Compute::Subtract, Operand::Const(1)) => self.bytes.u8(0x48 + to),
            (Compute::ShiftLeft | Compute::ShiftRight, by) => {
                let amount = match by {
                    Operand::Const(value) => short(value & 31).expect("five bits"),
                    Operand::Reg(_) => 1,
                };
                let kind = if compute == Compute::ShiftLeft { 4 } else { 7 };
                self.bytes.put(&[0xc1, 0xc0 | kind << 3 | to, amount]);
            }
            (Compute::Multiply, Operand::Const(value)) => {
                self.bytes.put(&[0x69, 0xc0 | to << 3 | to]);
                self.bytes.u32(value);
            }
            (Compute::Multiply, Operand::Reg(by)) => {
                self.bytes.u8(0x0f);
                self.registers(0xaf, to, number(by));
            }
            (Compute::Add, by) => self.group(0, to, by),
            (Compute::Or, by) => self.group(1, to, by),
            (Compute::And, by) => self.group(4, to, by),
            (Compute::Subtract, by) => self.group(5, to, by),
            (Compute::ExclusiveOr, by) => self.group(6, to, by),
        }
    }

    /// One of the eight computations that share their forms.
    fn group(&mut self, kind: u8, to: u8, by: Operand) {
        match by {
            Operand::Const(value) => self.immediate_group(kind, to, value),
            Operand::Reg(by) => self.registers(kind << 3 | 3, to, number(by)),
        }
    }

    fn immediate_group(&mut self, kind: u8, to: u8, value: u32) {
        match short(value) {
            Some(short) => self.bytes.put(&[0x83, 0xc0 | kind << 3 | to, short]),
            None if to == EAX => {
                self.bytes.u8(kind << 3 | 5);
                self.bytes.u32(value);
            }
            None => {
                self.bytes.put(&[0x81, 0xc0 | kind << 3 | to]);
                self.bytes.u32(value);
            }
        }
    }

    fn registers(&mut self, opcode: u8, reg: u8, other: u8) {
        self.bytes.put(&[opcode, 0xc0 | reg << 3 | other]);
    }

    /// An instruction with a memory operand; `base` is not `esp`.
    fn memory(&mut self, opcode: &[u8], reg: u8, base: u8, offset: u32) {
        self.bytes.put(opcode);
        let mode = reg << 3 | base;
        match short(offset) {
            Some(0) if base != EBP => self.bytes.u8(mode),
            Some(short) => self.bytes.put(&[0x40 | mode, short]),
            None => {
                self.bytes.u8(0x80 | mode);
                self.bytes.u32(offset);
            }
        }
    }

    fn absolute(&mut self, target: Target, addend: u32) {
        let at = self.bytes.len();
        self.fixups.push(Fixup { field: Field::Absolute32 { at }, target, addend });
        self.bytes.u32(0);
    }

    fn push(&mut self, arguments: &[Argument]) {
        for argument in arguments.iter().rev() {
            match argument {
                Argument::Reg(reg) => self.bytes.u8(0x50 + number(*reg)),
                Argument::Const(value) => match short(*value) {
                    Some(short) => self.bytes.put(&[0x6a, short]),
                    None => {
                        self.bytes.u8(0x68);
                        self.bytes.u32(*value);
                    }
                },
                Argument::Address(target) => {
                    self.bytes.u8(0x68);
                    self.absolute(*target, 0);
                }
                Argument::Local(slot) => self.memory(&[0xff], 6, EBP, local(*slot)),
                Argument::AddressOfLocal(slot) => {
                    self.memory(&[0x8d], EAX, EBP, local(*slot));
                    self.bytes.u8(0x50 + EAX);
                }
            }
        }
    }

    fn jump(&mut self, condition: Option<u8>, to: Label) {
        self.jumps.push(Jump { at: self.bytes.len(), condition, to });
        self.bytes.put(&[0; SHORT_JUMP]);
    }

    /// Gives each jump its shortest form and puts the function together.
    fn relax(self, body: u32) -> Code {
        // Starts with all jumps short and lengthens those that do not reach, until all do: lengths only grow,
        // so this ends.
        let mut grown = Vec::new();
        let mut is_long = vec![false; self.jumps.len()];
        loop {
            let mut changed = false;
            for (jump, is_long) in self.jumps.iter().zip(&mut is_long) {
                let end = moved(jump.at, &grown) + 2;
                if !*is_long && short(self.destination(jump.to, &grown).wrapping_sub(end)).is_none() {
                    *is_long = true;
                    changed = true;
                    grown.push(*jump);
                }
            }
            if !changed {
                break;
            }
        }
        let mut bytes = Bytes::new();
        let mut rest = self.bytes.as_slice();
        let mut taken = 0;
        for (jump, is_long) in self.jumps.iter().zip(is_long) {
            let before = usize::try_from(jump.at - taken).expect("u32 fits usize");
            let (piece, tail) = rest.split_at(before);
            bytes.put(piece);
            (_, rest) = tail.split_at(SHORT_JUMP);
            taken = jump.at + 2;
            match (jump.condition, is_long) {
                (Some(code), false) => bytes.u8(0x70 | code),
                (None, false) => bytes.u8(0xeb),
                (Some(code), true) => bytes.put(&[0x0f, 0x80 | code]),
                (None, true) => bytes.u8(0xe9),
            }
            let destination = self.destination(jump.to, &grown);
            if is_long {
                bytes.u32(destination.wrapping_sub(bytes.len() + 4));
            } else {
                let distance = short(destination.wrapping_sub(bytes.len() + 1));
                bytes.u8(distance.expect("a jump that does not reach was lengthened above"));
            }
        }
        bytes.put(rest);
        let fixups = self.fixups.iter().map(|fixup| {
            let field = match fixup.field {
                Field::Relative32 { at } => Field::Relative32 { at: moved(at, &grown) },
                Field::Absolute32 { at } => Field::Absolute32 { at: moved(at, &grown) },
                alpha @ (Field::Branch21 { .. } | Field::HighLow { .. }) => alpha,
            };
            Fixup { field, ..*fixup }
        });
        let fixups = fixups.collect();
        let labels = self.labels.iter().map(|(label, at)| (*label, moved(*at, &grown))).collect();
        Code { bytes, fixups, labels, body }
    }

    fn destination(&self, label: Label, grown: &[Jump]) -> u32 {
        moved(*self.labels.get(&label).expect("a program's jumps go to its labels"), grown)
    }
}

/// Where the byte at `at` comes to lie once the jumps of `grown` have their long form.
fn moved(at: u32, grown: &[Jump]) -> u32 {
    let before = grown.iter().filter(|jump| jump.at < at);
    at + before.map(|jump| if jump.condition.is_some() { 4 } else { 3 }).sum::<u32>()
}

/// The offset of a local from `ebp`.
fn local(slot: u32) -> u32 {
    (slot * 4 + 4).wrapping_neg()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::FunctionId;

    fn function(kept: u32, locals: u32, ops: Vec<Op>) -> Function {
        Function { id: FunctionId(1), kept, locals, ops, labels: 2 }
    }

    #[test]
    fn a_function_with_locals_has_an_ebp_frame() {
        let ops = vec![
            Op::Parameter { to: Reg::KeptA, index: 0 },
            Op::StoreLocal { slot: 0, from: Reg::KeptA },
            Op::Call { callee: FunctionId(4), arguments: vec![] },
            Op::Return,
        ];
        let code = encode(&function(1, 2, ops));
        #[rustfmt::skip]
        assert_eq!(code.bytes.as_slice(), [
            0x55, 0x8b, 0xec, 0x83, 0xec, 0x08, 0x56, // push ebp; mov ebp,esp; sub esp,8; push esi
            0x8b, 0x75, 0x08, 0x89, 0x75, 0xfc,       // mov esi,[ebp+8]; mov [ebp-4],esi
            0xe8, 0x00, 0x00, 0x00, 0x00,             // call
            0x5e, 0x8b, 0xe5, 0x5d, 0xc2, 0x08, 0x00, // pop esi; mov esp,ebp; pop ebp; ret 8
        ]);
        assert_eq!(code.body, 7);
        assert_eq!(code.fixups[0].field, Field::Relative32 { at: 14 });
    }

    #[test]
    fn a_jump_is_long_only_where_it_must_be() {
        let near =
            Op::Branch { test: Test::Equal, left: Reg::Result, right: Operand::Const(0), to: Label(0) };
        let far = Op::Jump(Label(1));
        let mut ops = vec![near, far, Op::Label(Label(0))];
        ops.extend(std::iter::repeat_n(Op::Const { to: Reg::Result, value: 7 }, 26));
        ops.extend([Op::LoadFrom { to: Reg::Result, target: Target::Function(FunctionId(0)), addend: 0 }]);
        ops.extend([Op::Label(Label(1)), Op::Return]);
        let code = encode(&function(0, 0, ops));
        let bytes = code.bytes.as_slice();
        // test eax,eax; je +5; jmp +135
        assert_eq!(bytes[..9], [0x85, 0xc0, 0x74, 0x05, 0xe9, 0x87, 0x00, 0x00, 0x00]);
        assert_eq!(code.labels[&Label(0)], 9);
        assert_eq!(code.labels[&Label(1)], 9 + 135);
        assert_eq!(code.fixups[0].field, Field::Absolute32 { at: 9 + 131 });
        assert_eq!(bytes.len(), 9 + 135 + 3);
    }
}
