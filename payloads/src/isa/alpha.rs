//! Alpha AXP code for Windows NT, without the byte and word instructions that later processors had.
//!
//! Absolute addresses are made by `LDAH` and a second instruction that adds the lower half; the relocation
//! table calls the pair `HIGHADJ` and `LOW`. Frames and saved registers are set up by a prologue that
//! `.pdata` describes.

use std::collections::BTreeMap;

use super::{Code, Field, Fixup};
use crate::bytes::{Bytes, high16_adjusted, low16};
use crate::program::{Argument, Compute, Function, KEPT, Label, Op, Operand, Reg, Target, Test, Width};

// Registers.
const T2: u32 = 3;
const T3: u32 = 4;
const T4: u32 = 5;
const A0: u32 = 16;
const RA: u32 = 26;
const AT: u32 = 28;
const SP: u32 = 30;
const ZERO: u32 = 31;

// Opcodes of the memory format.
const LDA: u32 = 0x08;
const LDAH: u32 = 0x09;
const LDQ_U: u32 = 0x0b;
const STQ_U: u32 = 0x0f;
const LDL: u32 = 0x28;
const LDQ: u32 = 0x29;
const STL: u32 = 0x2c;
const STQ: u32 = 0x2d;

// Opcodes of the branch format.
const BR: u32 = 0x30;
const BSR: u32 = 0x34;
const BEQ: u32 = 0x39;
const BLT: u32 = 0x3a;
const BLE: u32 = 0x3b;
const BNE: u32 = 0x3d;
const BGE: u32 = 0x3e;
const BGT: u32 = 0x3f;

/// Operate format: opcode and function.
type Operate = (u32, u32);
const ADDL: Operate = (0x10, 0x00);
const S4ADDL: Operate = (0x10, 0x02);
const SUBL: Operate = (0x10, 0x09);
const CMPULT: Operate = (0x10, 0x1d);
const CMPEQ: Operate = (0x10, 0x2d);
const CMPULE: Operate = (0x10, 0x3d);
const CMPLT: Operate = (0x10, 0x4d);
const CMPLE: Operate = (0x10, 0x6d);
const AND: Operate = (0x11, 0x00);
const BIS: Operate = (0x11, 0x20);
const XOR: Operate = (0x11, 0x40);
const MSKBL: Operate = (0x12, 0x02);
const EXTBL: Operate = (0x12, 0x06);
const INSBL: Operate = (0x12, 0x0b);
const MSKWL: Operate = (0x12, 0x12);
const EXTWL: Operate = (0x12, 0x16);
const INSWL: Operate = (0x12, 0x1b);
const SLL: Operate = (0x12, 0x39);
const SRA: Operate = (0x12, 0x3c);
const MULL: Operate = (0x13, 0x00);

const RET: u32 = 0x6bfa_8001;
const UNOP: u32 = 0x2ffe_0000;
const NOP: u32 = 0x47ff_041f;

#[derive(Debug)]
struct Encoder {
    words: Bytes,
    fixups: Vec<Fixup>,
    labels: BTreeMap<Label, u32>,
    /// Branches inside the function: where, and where to.
    branches: Vec<(u32, Label)>,
    /// Where the locals begin, from `sp`.
    locals: u32,
}

pub(super) fn encode(function: &Function) -> Code {
    // The kept registers, the return address, the locals; sixteen-byte steps.
    let locals = (function.kept + 1) * 8;
    let frame = (locals + function.locals * 4).next_multiple_of(16);
    let mut encoder = Encoder {
        words: Bytes::new(),
        fixups: Vec::new(),
        labels: BTreeMap::new(),
        branches: Vec::new(),
        locals,
    };
    let kept: Vec<(u32, u32)> =
        KEPT.into_iter().zip(0..function.kept).map(|(reg, place)| (number(reg), place * 8)).collect();
    let saved_ra = function.kept * 8;
    encoder.memory(LDA, SP, SP, frame.wrapping_neg());
    for (reg, place) in &kept {
        encoder.memory(STQ, *reg, SP, *place);
    }
    encoder.memory(STQ, RA, SP, saved_ra);
    let body = encoder.words.len();
    for op in &function.ops {
        if *op == Op::Return {
            for (reg, place) in &kept {
                encoder.memory(LDQ, *reg, SP, *place);
            }
            encoder.memory(LDQ, RA, SP, saved_ra);
            encoder.memory(LDA, SP, SP, frame);
            encoder.words.u32(RET);
        } else {
            encoder.op(op);
        }
    }
    encoder.finish(body)
}

pub(super) fn pad(text: &mut Bytes, end: u32) {
    while text.len() < end {
        text.u32(if text.len().is_multiple_of(8) { UNOP } else { NOP });
    }
}

fn number(reg: Reg) -> u32 {
    match reg {
        Reg::Result => 0,
        Reg::ScratchA => 1,
        Reg::ScratchB => 2,
        Reg::KeptA => 9,
        Reg::KeptB => 10,
        Reg::KeptC => 11,
    }
}

/// True where the value is its low 16 bits, extended with their sign.
fn is_short(value: u32) -> bool {
    !(0x8000..0xffff_8000).contains(&value)
}

impl Encoder {
    fn op(&mut self, op: &Op) {
        match op {
            Op::Label(label) => {
                self.labels.insert(*label, self.words.len());
            }
            Op::Parameter { to, index } => self.operate(BIS, ZERO, A0 + index, number(*to)),
            Op::Const { to, value } => self.constant(number(*to), *value),
            Op::Move { to, from } => self.operate(BIS, ZERO, number(*from), number(*to)),
            Op::Compute { compute, to, by } => {
                let operate = match compute {
                    Compute::Add => ADDL,
                    Compute::Subtract => SUBL,
                    Compute::And => AND,
                    Compute::Or => BIS,
                    Compute::ExclusiveOr => XOR,
                    Compute::Multiply => MULL,
                    Compute::ShiftLeft => SLL,
                    Compute::ShiftRight => SRA,
                };
                self.operate_with(operate, number(*to), *by, number(*to));
            }
            Op::Load { to, base, offset, width: Width::Long } => {
                self.memory(LDL, number(*to), number(*base), *offset)
            }
            Op::Load { to, base, offset, width } => {
                self.memory(LDQ_U, T2, number(*base), *offset);
                self.memory(LDA, T3, number(*base), *offset);
                self.operate(if *width == Width::Byte { EXTBL } else { EXTWL }, T2, T3, number(*to));
            }
            Op::Store { base, offset, from, width: Width::Long } => {
                self.memory(STL, number(*from), number(*base), *offset);
            }
            Op::Store { base, offset, from, width } => {
                let (insert, mask) = if *width == Width::Byte { (INSBL, MSKBL) } else { (INSWL, MSKWL) };
                self.memory(LDQ_U, T2, number(*base), *offset);
                self.memory(LDA, T3, number(*base), *offset);
                self.operate(insert, number(*from), T3, T4);
                self.operate(mask, T2, T3, T2);
                self.operate(BIS, T2, T4, T2);
                self.memory(STQ_U, T2, number(*base), *offset);
            }
            Op::StoreConst { base, offset, value } => {
                let from = if *value == 0 { ZERO } else { T2 };
                if *value != 0 {
                    self.constant(T2, *value);
                }
                self.memory(STL, from, number(*base), *offset);
            }
            Op::LoadLocal { to, slot } => self.memory(LDL, number(*to), SP, self.local(*slot)),
            Op::StoreLocal { slot, from } => self.memory(STL, number(*from), SP, self.local(*slot)),
            Op::AddressOfLocal { to, slot } => self.memory(LDA, number(*to), SP, self.local(*slot)),
            Op::AddressOf { to, target } => self.absolute(LDA, number(*to), number(*to), *target, 0),
            Op::LoadFrom { to, target, addend } => {
                self.absolute(LDL, number(*to), number(*to), *target, *addend)
            }
            Op::StoreTo { target, addend, from } => self.absolute(STL, number(*from), AT, *target, *addend),
            Op::Call { callee, arguments } => {
                self.arguments(arguments);
                let at = self.words.len();
                let target = Target::Function(*callee);
                self.fixups.push(Fixup { field: Field::Branch21 { at }, target, addend: 0 });
                self.words.u32(BSR << 26 | RA << 21);
            }
            Op::CallImport { import, arguments } => {
                self.arguments(arguments);
                self.absolute(LDL, AT, AT, Target::Import(*import), 0);
                self.jump(1, RA, AT);
            }
            Op::CallThrough { table, offset, arguments } => {
                self.memory(LDL, AT, number(*table), *offset);
                self.arguments(arguments);
                self.jump(1, RA, AT);
            }
            Op::Branch { test, left, right, to } => self.branch(*test, number(*left), *right, *to),
            Op::Jump(to) => self.branch_word(BR, ZERO, *to),
            Op::Switch { index, table } => {
                let high = self.words.len();
                self.memory(LDAH, AT, ZERO, 0);
                self.operate(S4ADDL, number(*index), AT, AT);
                let low = self.words.len();
                self.memory(LDL, AT, AT, 0);
                let target = Target::Datum(*table);
                self.fixups.push(Fixup { field: Field::HighLow { high, low }, target, addend: 0 });
                self.jump(0, ZERO, AT);
            }
            // The caller knows what was saved.
            Op::Return => {}
        }
    }

    fn branch(&mut self, test: Test, left: u32, right: Operand, to: Label) {
        let against_zero = match test {
            Test::Equal | Test::Below => BEQ,
            Test::NotEqual | Test::Above => BNE,
            Test::Less => BLT,
            Test::LessOrEqual => BLE,
            Test::Greater => BGT,
            Test::GreaterOrEqual => BGE,
        };
        if right == Operand::Const(0) {
            return self.branch_word(against_zero, left, to);
        }
        let (compare, taken) = match test {
            Test::Equal => (CMPEQ, BNE),
            Test::NotEqual => (CMPEQ, BEQ),
            Test::Less => (CMPLT, BNE),
            Test::GreaterOrEqual => (CMPLT, BEQ),
            Test::LessOrEqual => (CMPLE, BNE),
            Test::Greater => (CMPLE, BEQ),
            Test::Below => (CMPULT, BNE),
            Test::Above => (CMPULE, BEQ),
        };
        self.operate_with(compare, left, right, T2);
        self.branch_word(taken, T2, to);
    }

    fn branch_word(&mut self, opcode: u32, reg: u32, to: Label) {
        self.branches.push((self.words.len(), to));
        self.words.u32(opcode << 26 | reg << 21);
    }

    fn jump(&mut self, kind: u32, link: u32, through: u32) {
        self.words.u32(0x1a << 26 | link << 21 | through << 16 | kind << 14);
    }

    fn memory(&mut self, opcode: u32, reg: u32, base: u32, displacement: u32) {
        self.words.u32(opcode << 26 | reg << 21 | base << 16 | u32::from(low16(displacement)));
    }

    fn operate(&mut self, (opcode, function): Operate, a: u32, b: u32, to: u32) {
        self.words.u32(opcode << 26 | a << 21 | b << 16 | function << 5 | to);
    }

    /// Operates with a register or a constant; only small constants have a place in the instruction.
    fn operate_with(&mut self, operate: Operate, a: u32, b: Operand, to: u32) {
        match b {
            Operand::Reg(reg) => self.operate(operate, a, number(reg), to),
            Operand::Const(value) if value < 0x100 => self.operate_literal(operate, a, value, to),
            Operand::Const(value) => {
                self.constant(AT, value);
                self.operate(operate, a, AT, to);
            }
        }
    }

    fn operate_literal(&mut self, (opcode, function): Operate, a: u32, literal: u32, to: u32) {
        self.words.u32(opcode << 26 | a << 21 | literal << 13 | 1 << 12 | function << 5 | to);
    }

    fn constant(&mut self, to: u32, value: u32) {
        if value == 0 {
            self.operate(BIS, ZERO, ZERO, to);
        } else if value < 0x100 {
            self.operate_literal(BIS, ZERO, value, to);
        } else if is_short(value) {
            self.memory(LDA, to, ZERO, value);
        } else {
            self.memory(LDAH, to, ZERO, u32::from(high16_adjusted(value)));
            if low16(value) != 0 {
                self.memory(LDA, to, to, value);
            }
        }
    }

    /// An instruction with the target's address: `base` gets the upper half, the instruction adds the lower.
    fn absolute(&mut self, opcode: u32, reg: u32, base: u32, target: Target, addend: u32) {
        let high = self.words.len();
        self.memory(LDAH, base, ZERO, 0);
        let low = self.words.len();
        self.memory(opcode, reg, base, 0);
        self.fixups.push(Fixup { field: Field::HighLow { high, low }, target, addend });
    }

    /// Loads the argument registers: upper halves of addresses first, as schedulers do, then the rest.
    fn arguments(&mut self, arguments: &[Argument]) {
        let mut highs = Vec::new();
        for (argument, reg) in arguments.iter().zip(A0..) {
            if let Argument::Address(_) = argument {
                highs.push(self.words.len());
                self.memory(LDAH, reg, ZERO, 0);
            }
        }
        let mut highs = highs.into_iter();
        for (argument, reg) in arguments.iter().zip(A0..) {
            match argument {
                Argument::Reg(from) => self.operate(BIS, ZERO, number(*from), reg),
                Argument::Const(value) => self.constant(reg, *value),
                Argument::Local(slot) => self.memory(LDL, reg, SP, self.local(*slot)),
                Argument::AddressOfLocal(slot) => self.memory(LDA, reg, SP, self.local(*slot)),
                Argument::Address(target) => {
                    let high = highs.next().expect("each address had its upper half above");
                    let low = self.words.len();
                    self.memory(LDA, reg, reg, 0);
                    self.fixups.push(Fixup {
                        field: Field::HighLow { high, low },
                        target: *target,
                        addend: 0,
                    });
                }
            }
        }
    }

    fn local(&self, slot: u32) -> u32 {
        self.locals + slot * 4
    }

    fn finish(mut self, body: u32) -> Code {
        for (at, label) in &self.branches {
            let to = self.labels.get(label).expect("a program's jumps go to its labels");
            let words = (to.wrapping_sub(at + 4) >> 2) & 0x1f_ffff;
            self.words.set_u32(*at, self.words.u32_at(*at) | words);
        }
        Code { bytes: self.words, fixups: self.fixups, labels: self.labels, body }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::{DatumId, FunctionId};

    #[test]
    fn a_function_is_prologue_body_and_epilogue() {
        let target = Target::Datum(DatumId(0));
        let ops = vec![
            Op::Call {
                callee: FunctionId(4),
                arguments: vec![Argument::Address(target), Argument::Const(5)],
            },
            Op::Branch { test: Test::Less, left: Reg::Result, right: Operand::Const(0), to: Label(0) },
            Op::Const { to: Reg::Result, value: 0x8000_4005 },
            Op::Label(Label(0)),
            Op::Return,
        ];
        let code = encode(&Function { id: FunctionId(1), kept: 1, locals: 0, ops, labels: 1 });
        let words: Vec<u32> = (0..code.bytes.len()).step_by(4).map(|at| code.bytes.u32_at(at)).collect();
        // As GNU objdump reads them.
        assert_eq!(
            words,
            [
                0x23de_fff0, // lda sp,-16(sp)
                0xb53e_0000, // stq s0,0(sp)
                0xb75e_0008, // stq ra,8(sp)
                0x261f_0000, // ldah a0,0
                0x2210_0000, // lda a0,0(a0)
                0x47e0_b411, // mov 0x5,a1
                0xd340_0000, // bsr ra
                0xe800_0002, // blt v0,+2
                0x241f_8000, // ldah v0,-32768
                0x2000_4005, // lda v0,16389(v0)
                0xa53e_0000, // ldq s0,0(sp)
                0xa75e_0008, // ldq ra,8(sp)
                0x23de_0010, // lda sp,16(sp)
                0x6bfa_8001, // ret
            ]
        );
        assert_eq!(code.body, 12);
        assert_eq!(code.fixups[0].field, Field::HighLow { high: 12, low: 16 });
        assert_eq!(code.fixups[1].field, Field::Branch21 { at: 24 });
    }
}
