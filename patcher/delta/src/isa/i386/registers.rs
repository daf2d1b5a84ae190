//! The registers that an instruction names, and where.
//!
//! Only what compilers choose freely: not the stack pointer, nor what an opcode implies. Vector registers are a kind
//! of their own; the lower and upper bytes of registers count as the registers of their numbers.

use super::Instruction;

/// A register that an instruction names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Register {
    /// The byte of the instruction.
    at: u8,
    /// Its lowest bit there.
    shift: u8,
    /// Whether it is a vector register.
    vector: bool,
    /// Numbers that would mean something else, a bit for each.
    reserved: u8,
}

/// The stack pointer; where an address is made, no register or another form of it.
const ESP: u8 = 4;
/// The frame pointer; in addresses without displacement, another form of them.
const EBP: u8 = 5;

impl Register {
    /// Returns its number among those of its kind.
    #[must_use]
    pub fn number(&self, bytes: &[u8]) -> u8 {
        bytes.get(usize::from(self.at)).copied().unwrap_or(0) >> self.shift & 7
    }

    /// Returns its place among all registers: vector registers from 32 on.
    #[must_use]
    pub fn place(&self, bytes: &[u8]) -> usize {
        usize::from(self.number(bytes)) + if self.vector { 32 } else { 0 }
    }

    /// Names another register, unless that would be another form of instruction.
    pub fn rename(&self, bytes: &mut [u8], number: u8) {
        if self.reserved >> (number & 7) & 1 == 0
            && let Some(byte) = bytes.get_mut(usize::from(self.at))
        {
            *byte = *byte & !(7 << self.shift) | (number & 7) << self.shift;
        }
    }
}

/// Returns the registers that an instruction names.
pub fn registers(instruction: &Instruction, bytes: &[u8]) -> impl Iterator<Item = Register> + use<> {
    let register = |at, shift, vector, reserved| Some(Register { at, shift, vector, reserved });
    let Instruction { opcode, map, modrm_at, .. } = *instruction;
    let mut found = [None; 3];
    if modrm_at == 0 {
        if map == 0 && matches!(opcode, 0x40..=0x5f | 0x91..=0x97 | 0xb0..=0xbf) {
            let behind = [instruction.immediate, instruction.displacement]
                .map(|field| if field.len > 0 { field.at } else { 15 });
            let end = behind.into_iter().fold(instruction.len, u8::min);
            found[0] = register(end.saturating_sub(1), 0, false, 1 << ESP);
        }
    } else {
        let vector = match map {
            0 => false,
            1 => !matches!(opcode, 0x40..=0x4f | 0x90..=0x9f | 0xa0..=0xc1),
            _ => true,
        };
        let modrm = bytes.get(usize::from(modrm_at)).copied().unwrap_or(0);
        let (mode, operand) = (modrm >> 6, modrm & 7);
        if !extends(map, opcode) {
            found[0] = register(modrm_at, 3, vector, 0);
        }
        let frame = if mode == 0 { 1 << EBP } else { 0 };
        if mode == 3 {
            found[1] = register(modrm_at, 0, vector, 0);
        } else if operand == ESP {
            found[1] = register(modrm_at + 1, 0, false, frame);
            found[2] = register(modrm_at + 1, 3, false, 1 << ESP);
        } else if !(mode == 0 && operand == EBP) {
            found[1] = register(modrm_at, 0, false, frame | 1 << ESP);
        }
        let is_named = |register: &Register| register.reserved >> register.number(bytes) & 1 == 0;
        found = found.map(|register| register.filter(is_named));
    }
    found.into_iter().flatten()
}

/// Tells whether the register field of the ModR/M byte is part of the opcode.
fn extends(map: u8, opcode: u8) -> bool {
    match map {
        0 => matches!(opcode, 0x80..=0x83 | 0x8c..=0x8f | 0xc0..=0xc7 | 0xd0..=0xdf | 0xf6..=0xff),
        1 => {
            matches!(opcode, 0x00..=0x01 | 0x0d | 0x18..=0x1f | 0x71..=0x73 | 0x90..=0x9f | 0xae | 0xba | 0xc7)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Decoded, decode};
    use super::*;

    fn renamed(bytes: &[u8], names: [u8; 8]) -> Vec<u8> {
        let Decoded::Whole(instruction) = decode(bytes) else { panic!("no instruction") };
        let mut new = bytes.to_vec();
        for register in registers(&instruction, bytes) {
            register.rename(&mut new, names[usize::from(register.number(bytes))]);
        }
        new
    }

    #[test]
    fn registers_are_renamed_where_they_are_named() {
        let swapped = [6, 7, 2, 3, 4, 5, 0, 1];
        let cases: [(&[u8], &[u8]); 8] = [
            // mov eax, ecx; mov eax, [ecx+8]; mov eax, [ecx+4*esi]; mov eax, [esp+8]
            (&[0x8b, 0xc1], &[0x8b, 0xf7]),
            (&[0x8b, 0x41, 8], &[0x8b, 0x77, 8]),
            (&[0x8b, 0x04, 0xb1], &[0x8b, 0x34, 0x87]),
            (&[0x8b, 0x44, 0x24, 8], &[0x8b, 0x74, 0x24, 8]),
            // push ecx; mov ecx, 5; add ecx, 5; test [0x0c0b0a09], eax
            (&[0x51], &[0x57]),
            (&[0xb9, 5, 0, 0, 0], &[0xbf, 5, 0, 0, 0]),
            (&[0x83, 0xc1, 5], &[0x83, 0xc7, 5]),
            (&[0x85, 0x05, 9, 10, 11, 12], &[0x85, 0x35, 9, 10, 11, 12]),
        ];
        for (before, after) in cases {
            assert_eq!(renamed(before, swapped), after, "{before:x?}");
        }
    }

    #[test]
    fn no_form_changes_by_a_name() {
        // mov eax, [ecx], which has no form with esp or ebp
        assert_eq!(renamed(&[0x8b, 0x01], [0, 4, 2, 3, 4, 5, 6, 7]), [0x8b, 0x01]);
        assert_eq!(renamed(&[0x8b, 0x01], [0, 5, 2, 3, 4, 5, 6, 7]), [0x8b, 0x01]);
        assert_eq!(renamed(&[0x8b, 0x41, 8], [0, 5, 2, 3, 4, 5, 6, 7]), [0x8b, 0x45, 8]);
    }
}
