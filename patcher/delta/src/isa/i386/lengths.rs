//! Lengths, held against those that GNU objdump finds.

use std::process::Command;

use super::{Decoded, Instruction, decode};

/// Room for a case: for the longest instruction, and for objdump to fall into step again.
const SLOT: usize = 24;
const NOP: u8 = 0x90;

#[test]
fn objdump_finds_the_same_lengths() {
    let mut cases = legacy();
    cases.extend(vector());
    let mut bytes = Vec::with_capacity(cases.len() * SLOT);
    for case in &cases {
        bytes.extend_from_slice(case);
        bytes.resize(bytes.len().next_multiple_of(SLOT), NOP);
    }
    let Some(lengths) = objdump(&bytes) else { return };
    let mut compared = 0;
    for ((slot, theirs), case) in bytes.chunks(SLOT).zip(lengths.chunks(SLOT)).zip(&cases) {
        let Theirs::Instruction(theirs) = theirs[0] else {
            assert_eq!(theirs[0], Theirs::Bad, "{case:02x?}: objdump is out of step");
            continue;
        };
        if is_left_out(case) {
            continue;
        }
        let ours = decode(slot);
        assert!(
            matches!(ours, Decoded::Whole(Instruction { len, .. }) if len == theirs),
            "{case:02x?}: objdump finds {theirs} bytes, we {ours:?}"
        );
        compared += 1;
    }
    assert!(compared > 150_000, "objdump knows but {compared} of the instructions");
}

/// What objdump finds at a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Theirs {
    /// The beginning of an instruction of so many bytes.
    Instruction(u8),
    /// No instruction that it knows.
    Bad,
    /// The middle of an instruction.
    Inside,
}

/// Disassembles from the beginning to the end; nothing, and it says so, where objdump is not installed.
fn objdump(bytes: &[u8]) -> Option<Vec<Theirs>> {
    let path = std::env::temp_dir().join(format!("qfe-delta-lengths-{}", std::process::id()));
    std::fs::write(&path, bytes).unwrap();
    let args = [
        "--disassemble-all",
        "--disassemble-zeroes",
        "--no-show-raw-insn",
        "--wide",
        "--target=binary",
        "--architecture=i386",
    ];
    let output = Command::new("objdump").args(args).arg(&path).output();
    std::fs::remove_file(&path).unwrap();
    let output = match output {
        Ok(output) => output,
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "objdump cannot be run ({error}), and CI needs it");
            println!("skipped: objdump cannot be run ({error})");
            return None;
        }
    };
    assert!(output.status.success(), "objdump: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines = text.lines().filter_map(|line| {
        let (address, instruction) = line.trim_start().split_once(":\t")?;
        Some((usize::from_str_radix(address, 16).ok()?, instruction))
    });
    let mut found = vec![Theirs::Inside; bytes.len()];
    let mut line = lines.next();
    while let Some((at, instruction)) = line {
        line = lines.next();
        let end = line.map_or(bytes.len(), |(next, _)| next);
        let len = u8::try_from(end - at).unwrap();
        found[at] = if instruction.contains("(bad)") { Theirs::Bad } else { Theirs::Instruction(len) };
    }
    Some(found)
}

/// Tells whether it is something that the documentation leaves out, or FWAIT, which objdump joins with what follows.
fn is_left_out(case: &[u8]) -> bool {
    match case {
        [0x66, 0xe8 | 0xe9, ..] | [0x66, 0x0f, 0x80..=0x8f, ..] => true,
        [0x8f, map, ..] | [0x66, 0x8f, map, ..] => map & 31 > 7,
        _ => matches!(case, [0x9b, ..] | [0x66, 0x9b, ..]),
    }
}

/// Instructions of one to three bytes of opcode.
fn legacy() -> Vec<Vec<u8>> {
    let is_opcode = |byte: &u8| {
        !matches!(
            byte,
            0x0f | 0x26 | 0x2e | 0x36 | 0x3e | 0x62 | 0x64..=0x67 | 0xc4 | 0xc5 | 0xf0 | 0xf2 | 0xf3
        )
    };
    let first: Vec<u8> = (0..=255).filter(is_opcode).collect();
    let second: Vec<u8> = (0..=255).filter(|byte| !matches!(byte, 0x38 | 0x3a)).collect();
    let third: Vec<u8> = (0..=255).collect();
    let prefixes: [&[u8]; 4] = [&[], &[0x66], &[0xf2], &[0xf3]];
    let after = |map: &[u8]| prefixes.map(|prefix| [prefix, map].concat()).to_vec();
    let mut cases = product(&after(&[])[..2], &first, &every_form());
    cases.extend(product(&after(&[0x0f]), &second, &every_form()));
    for map in [0x38, 0x3a] {
        cases.extend(product(&after(&[0x0f, map]), &third, &some_forms()));
    }
    cases
}

/// Instructions with VEX, of two and of three bytes, and with EVEX.
fn vector() -> Vec<Vec<u8>> {
    let mut prefixes = Vec::new();
    for low in 0..8 {
        prefixes.push(vec![0xc5, 0xf8 | low]);
        for high in [0x78, 0xf8] {
            prefixes.extend([1, 2, 3].map(|map| vec![0xc4, 0xe0 | map, high | low]));
        }
        let second = (low & 4) << 5 | 0x7c | low & 3;
        // Vectors of 16, 32 and 64 bytes, the last masked; one element for all.
        for third in [0x08, 0x28, 0x49, 0x58] {
            prefixes.extend([1, 2, 3, 5, 6].map(|map| vec![0x62, 0xf0 | map, second, third]));
        }
    }
    let opcodes: Vec<u8> = (0..=255).collect();
    product(&prefixes, &opcodes, &some_forms())
}

/// ModR/M with every register and mode, in three modes with every form of address, and SIB.
fn every_form() -> Vec<Vec<u8>> {
    let mut forms: Vec<Vec<u8>> = (0xc0..=0xff).map(|modrm| vec![modrm]).collect();
    for modrm in (0..0xc0).step_by(8) {
        forms.extend([vec![modrm], vec![modrm | 5], vec![modrm | 4, 0x20], vec![modrm | 4, 0x25]]);
    }
    forms
}

/// ModR/M and SIB with two registers, which in groups of opcodes name instructions, and four forms.
fn some_forms() -> Vec<Vec<u8>> {
    vec![vec![0xd1], vec![0xf1], vec![0x15], vec![0x54, 0x25], vec![0xb4, 0x20]]
}

fn product(prefixes: &[Vec<u8>], opcodes: &[u8], operands: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let heads = prefixes.iter().flat_map(|prefix| opcodes.iter().map(move |opcode| (prefix, *opcode)));
    let cases = heads.flat_map(|(prefix, opcode)| {
        operands.iter().map(move |operands| [prefix.as_slice(), &[opcode], operands].concat())
    });
    cases.collect()
}
