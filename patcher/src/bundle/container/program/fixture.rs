//! What stands before the zip of a self-extracting bundle, for tests.

/// Makes the smallest program that may stand before an archive: the headers of a PE image, and a section.
pub(crate) fn program() -> Vec<u8> {
    let mut program = vec![0; 0x200];
    program[..2].copy_from_slice(b"MZ");
    program[0x3c] = 0x40;
    // One section, an optional header of 0xe0 bytes.
    program[0x40..0x48].copy_from_slice(b"PE\0\0\x4c\x01\x01\0");
    program[0x54..0x58].copy_from_slice(&[0xe0, 0, 2, 1]);
    program[0x138..0x13d].copy_from_slice(b".text");
    // Its bytes in the file: 0x200, at 0x200.
    program[0x148..0x150].copy_from_slice(&[0, 2, 0, 0, 0, 2, 0, 0]);
    program.resize(0x400, 0xc3);
    program
}

/// Makes the block of a key ring, which says that its text has so many bytes.
pub(crate) fn ring(text: &str, size: u32) -> Vec<u8> {
    [b"QFE-RING", &size.to_le_bytes()[..], text.as_bytes()].concat()
}

/// Makes such a program that says it is a patcher, by the mark of a key ring in it.
pub(crate) fn patcher() -> Vec<u8> {
    let mut patcher = program();
    patcher.splice(0x300..0x308, *b"QFE-RING");
    patcher
}
