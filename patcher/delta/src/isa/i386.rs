//! The lengths and fields of i386 instructions in 32-bit code.
//!
//! Knows the one-byte and two-byte opcode maps, 0F 38 and 0F 3A, x87, and what VEX and EVEX prefixes lead. No instruction
//! is checked for being valid beyond its length, and none has an address-size prefix (67), a 16-bit relative branch or an
//! XOP prefix: a compiler makes none of them, data that is cut as code does.
//!
//! Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, appendix A (opcode maps).

#[cfg(test)]
mod lengths;
mod registers;

pub use registers::{Register, registers};

/// What a byte of an instruction is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Prefixes and opcode.
    Opcode,
    /// The ModR/M byte, and the first payload byte of a VEX or EVEX prefix.
    ModRm,
    /// The SIB byte.
    Sib,
    /// Displacement.
    Displacement,
    /// Immediate operand.
    Immediate,
    /// The distance of a relative branch.
    Relative,
}

/// A field of an instruction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Where it begins in the instruction.
    pub at: u8,
    /// How many bytes; 0 if the instruction has no such field.
    pub len: u8,
}

/// An instruction's layout, or as much of it as is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Instruction {
    /// Its length.
    pub len: u8,
    /// The opcode's last byte.
    pub opcode: u8,
    /// The opcode map: 0 one-byte, 1 two-byte, 2 0F 38, 3 0F 3A, 4 to 6 those of VEX and EVEX.
    pub map: u8,
    /// Where the ModR/M byte is; 0 if there is none.
    pub modrm_at: u8,
    /// The displacement.
    pub displacement: Span,
    /// The immediate operand, or the distance of a relative branch.
    pub immediate: Span,
    /// Whether it is a relative branch.
    pub relative: bool,
}

/// What can be said of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// They begin with a whole instruction.
    Whole(Instruction),
    /// They are the beginning of one.
    Partial {
        /// What its next byte is for.
        role: Role,
        /// The number of that byte within its field.
        index: u8,
        /// What is known of the instruction.
        known: Instruction,
    },
    /// No instruction begins so.
    Invalid,
}

/// The longest instruction.
pub const MAX_LEN: u32 = 15;

/// Decodes the instruction at the beginning of `bytes`.
#[must_use]
pub fn decode(bytes: &[u8]) -> Decoded {
    let mut decoder = Decoder { bytes, at: 0, known: Instruction::default() };
    match decoder.run() {
        Ok(()) => Decoded::Whole(Instruction { len: decoder.at, ..decoder.known }),
        Err(Stop::End { role, index }) if decoder.at < 15 => {
            Decoded::Partial { role, index, known: decoder.known }
        }
        Err(_) => Decoded::Invalid,
    }
}

enum Stop {
    /// More bytes are needed.
    End {
        role: Role,
        index: u8,
    },
    Invalid,
}

struct Decoder<'a> {
    bytes: &'a [u8],
    at: u8,
    known: Instruction,
}

impl Decoder<'_> {
    fn next(&mut self, role: Role, index: u8) -> Result<u8, Stop> {
        let byte = self.bytes.get(usize::from(self.at)).filter(|_| self.at < 15);
        let byte = *byte.ok_or(Stop::End { role, index })?;
        self.at += 1;
        Ok(byte)
    }

    fn field(&mut self, role: Role, len: u8) -> Result<Span, Stop> {
        let span = Span { at: self.at, len };
        // Known before its bytes are there.
        match role {
            Role::Displacement => self.known.displacement = span,
            _ => self.known.immediate = span,
        }
        for index in 0..len {
            self.next(role, index)?;
        }
        Ok(span)
    }

    fn run(&mut self) -> Result<(), Stop> {
        let (mut narrow, mut scalar) = (false, false);
        let first = loop {
            match self.next(Role::Opcode, 0)? {
                0x66 => narrow = true,
                0xf2 => scalar = true,
                0x26 | 0x2e | 0x36 | 0x3e | 0x64 | 0x65 | 0xf0 | 0xf3 => {}
                0x67 => return Err(Stop::Invalid),
                opcode => break opcode,
            }
        };
        self.known.opcode = first;
        let mut layout = match first {
            0x0f => self.two_bytes()?,
            0x62 | 0xc4 | 0xc5 => self.vector_prefix(first)?,
            _ => one_byte(first),
        };
        if narrow && matches!(layout.immediate, 4 | 6) {
            layout.immediate -= 2;
        }
        if narrow && layout.relative == 4 {
            return Err(Stop::Invalid);
        }
        // EXTRQ and INSERTQ; without a prefix it is VMREAD.
        if (self.known.map, self.known.opcode) == (1, 0x78) && (narrow || scalar) {
            layout.immediate = 2;
        }
        let mut displacement = layout.displacement;
        if layout.modrm {
            displacement = self.modrm(&mut layout, narrow)?;
        }
        if displacement > 0 {
            self.field(Role::Displacement, displacement)?;
        }
        if layout.relative > 0 {
            self.known.relative = true;
            self.field(Role::Relative, layout.relative)?;
        } else if layout.immediate > 0 {
            self.field(Role::Immediate, layout.immediate)?;
        }
        Ok(())
    }

    /// Reads what follows 0F.
    fn two_bytes(&mut self) -> Result<Layout, Stop> {
        let second = self.next(Role::Opcode, 1)?;
        (self.known.map, self.known.opcode) = (1, second);
        let mut layout = Layout {
            modrm: has_modrm_0f(second),
            immediate: immediate_0f(second),
            relative: if second & 0xf0 == 0x80 { 4 } else { 0 },
            displacement: 0,
        };
        if second == 0x38 || second == 0x3a {
            (self.known.map, layout.immediate) = if second == 0x38 { (2, 0) } else { (3, 1) };
            self.known.opcode = self.next(Role::Opcode, 2)?;
        }
        if is_control_move(second) {
            self.next(Role::ModRm, 0)?;
        }
        Ok(layout)
    }

    /// Reads what follows C4, C5 or 62: a prefix if the next byte is C0 or above, else a ModR/M byte.
    fn vector_prefix(&mut self, first: u8) -> Result<Layout, Stop> {
        let Some(payload) = self.bytes.get(usize::from(self.at)) else {
            return Err(Stop::End { role: Role::ModRm, index: 0 });
        };
        if *payload < 0xc0 {
            return Ok(Layout { modrm: true, ..Layout::default() });
        }
        let payload = self.next(Role::ModRm, 0)?;
        let (map, more) = match first {
            0xc5 => (1, 0),
            0xc4 => (payload & 31, 1),
            _ => (payload & 7, 2),
        };
        for _ in 0..more {
            self.next(Role::Opcode, 3)?;
        }
        let opcode = self.next(Role::Opcode, 3)?;
        (self.known.opcode, self.known.map) = (opcode, 3 + (map & 3));
        let immediate = match map {
            1 => immediate_0f(opcode),
            2 | 5 | 6 => 0,
            3 => 1,
            _ => return Err(Stop::Invalid),
        };
        // VZEROUPPER and VZEROALL alone have no operands.
        Ok(Layout { modrm: !(map == 1 && opcode == 0x77), immediate, ..Layout::default() })
    }

    /// Reads ModR/M and SIB; returns the length of the displacement.
    fn modrm(&mut self, layout: &mut Layout, narrow: bool) -> Result<u8, Stop> {
        let modrm = self.next(Role::ModRm, 0)?;
        self.known.modrm_at = self.at - 1;
        let (mode, register, operand) = (modrm >> 6, modrm >> 3 & 7, modrm & 7);
        let mut displacement = match mode {
            1 => 1,
            2 => 4,
            _ => 0,
        };
        // The first two of group 3 are TEST with an immediate operand.
        if self.known.map == 0 && register < 2 {
            match self.known.opcode {
                0xf6 => layout.immediate = 1,
                0xf7 => layout.immediate = if narrow { 2 } else { 4 },
                _ => {}
            }
        }
        if mode != 3 && operand == 4 {
            let sib = self.next(Role::Sib, 0)?;
            if mode == 0 && sib & 7 == 5 {
                displacement = 4;
            }
        } else if mode == 0 && operand == 5 {
            displacement = 4;
        }
        Ok(displacement)
    }
}

/// What follows an opcode.
#[derive(Clone, Copy, Default)]
struct Layout {
    modrm: bool,
    /// Bytes of an immediate operand.
    immediate: u8,
    /// Bytes of a relative distance.
    relative: u8,
    /// Bytes of a displacement without ModR/M.
    displacement: u8,
}

fn one_byte(opcode: u8) -> Layout {
    let modrm = match opcode {
        0x00..=0x3f => opcode & 7 < 4,
        0x63 | 0x69 | 0x6b | 0x80..=0x8f | 0xc0 | 0xc1 | 0xc6 | 0xc7 | 0xd0..=0xd3 | 0xd8..=0xdf => true,
        0xf6 | 0xf7 | 0xfe | 0xff => true,
        _ => false,
    };
    let immediate = match opcode {
        0x00..=0x3f if opcode & 7 == 4 => 1,
        0x00..=0x3f if opcode & 7 == 5 => 4,
        0x68 | 0x69 | 0x81 | 0xa9 | 0xb8..=0xbf | 0xc7 => 4,
        0x6a | 0x6b | 0x80 | 0x82 | 0x83 | 0xa8 | 0xb0..=0xb7 | 0xc0 | 0xc1 | 0xc6 => 1,
        0xcd | 0xd4 | 0xd5 | 0xe4..=0xe7 => 1,
        0xc2 | 0xca => 2,
        0xc8 => 3,
        0x9a | 0xea => 6,
        _ => 0,
    };
    let relative = match opcode {
        0xe8 | 0xe9 => 4,
        0x70..=0x7f | 0xe0..=0xe3 | 0xeb => 1,
        _ => 0,
    };
    // MOV between the accumulator and memory.
    let displacement = if (0xa0..=0xa3).contains(&opcode) { 4 } else { 0 };
    Layout { modrm, immediate, relative, displacement }
}

/// MOV of control, debug and test registers: both operands are registers, whatever the mode in its ModR/M byte.
fn is_control_move(opcode: u8) -> bool {
    matches!(opcode, 0x20..=0x24 | 0x26)
}

fn has_modrm_0f(opcode: u8) -> bool {
    !is_control_move(opcode)
        && !matches!(
            opcode,
            0x05..=0x09 | 0x0b | 0x0e | 0x30..=0x37 | 0x77 | 0x80..=0x8f | 0xa0..=0xa2 | 0xa8..=0xaa | 0xc8..=0xcf
        )
}

fn immediate_0f(opcode: u8) -> u8 {
    match opcode {
        0x0f | 0x70..=0x73 | 0xa4 | 0xac | 0xba | 0xc2 | 0xc4..=0xc6 => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn len(bytes: &[u8]) -> u8 {
        let Decoded::Whole(instruction) = decode(bytes) else { panic!("no instruction") };
        instruction.len
    }

    #[test]
    fn sysret_has_no_operands() {
        assert_eq!(len(&[0x0f, 0x07, 0x05, 0, 0, 0, 0]), 2);
    }

    #[test]
    fn control_registers_are_moved_to_registers_only() {
        // mov eax, cr0 in its usual form, then in those that would name memory elsewhere
        assert_eq!(len(&[0x0f, 0x20, 0xc0]), 3);
        assert_eq!(len(&[0x0f, 0x22, 0x05, 0, 0, 0, 0]), 3);
        assert_eq!(len(&[0x0f, 0x23, 0x84, 0x24, 0, 0, 0, 0]), 3);
    }

    #[test]
    fn a_far_address_is_as_wide_as_its_operand_size() {
        assert_eq!(len(&[0x9a, 1, 2, 3, 4, 5, 6]), 7);
        assert_eq!(len(&[0x66, 0x9a, 1, 2, 3, 4, 5, 6]), 6);
        assert_eq!(len(&[0x66, 0xea, 1, 2, 3, 4, 5, 6]), 6);
    }

    #[test]
    fn extrq_and_insertq_have_two_immediates() {
        assert_eq!(len(&[0x66, 0x0f, 0x78, 0xc0, 1, 2]), 6);
        assert_eq!(len(&[0xf2, 0x0f, 0x78, 0xc1, 1, 2]), 6);
        // vmread eax, ecx
        assert_eq!(len(&[0x0f, 0x78, 0xc8, 1, 2]), 3);
    }

    #[test]
    fn half_precision_maps_are_known() {
        // vaddph zmm0, zmm0, [eax+0x40]; vfmadd231ph zmm0, zmm0, zmm1
        assert_eq!(len(&[0x62, 0xf5, 0x7c, 0x48, 0x58, 0x40, 0x01]), 7);
        assert_eq!(len(&[0x62, 0xf6, 0x7d, 0x48, 0xb8, 0xc1]), 6);
    }
}
