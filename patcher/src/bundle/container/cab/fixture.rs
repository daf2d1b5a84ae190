//! Cabinets for tests, made field by field (Microsoft Cabinet Format, `CFHEADER` ...).

/// How a folder is compressed: by LZX, with a window of 32 KiB.
pub(crate) const LZX: u16 = 0x0f03;

/// Makes a cabinet of a few equal folders; in the first the file `f` of all its bytes, and the empty file `g`. Of each
/// block its bytes and its stated unpacked size.
pub(crate) fn cabinet(kind: u16, blocks: &[(&[u8], u16)], folders: u16) -> Vec<u8> {
    let size: u32 = blocks.iter().map(|(_, size)| u32::from(*size)).sum();
    cabinet_of(kind, blocks, folders, &[("f", 0, size), ("g", 0, 0)])
}

/// Makes a cabinet of a few equal folders; in the first these files: name, where it begins in the unpacked data, size.
pub(crate) fn cabinet_of(
    kind: u16,
    blocks: &[(&[u8], u16)],
    folders: u16,
    files: &[(&str, u32, u32)],
) -> Vec<u8> {
    let files_at = 36 + 8 * u32::from(folders);
    let names: usize = files.iter().map(|(name, ..)| 16 + name.len() + 1).sum();
    let data_at = files_at + u32::try_from(names).unwrap();
    let count = u16::try_from(files.len()).unwrap();
    let mut cabinet = b"MSCF\0\0\0\0size\0\0\0\0".to_vec();
    cabinet.extend(files_at.to_le_bytes());
    cabinet.extend(b"\0\0\0\0\x03\x01");
    cabinet.extend([folders.to_le_bytes(), count.to_le_bytes(), [0; 2], [0; 2], [0; 2]].concat());
    for _ in 0..folders {
        cabinet.extend(data_at.to_le_bytes());
        cabinet.extend(u16::try_from(blocks.len()).unwrap().to_le_bytes());
        cabinet.extend(kind.to_le_bytes());
    }
    for (name, start, size) in files {
        cabinet.extend([size.to_le_bytes(), start.to_le_bytes()].concat());
        cabinet.extend(b"\0\0\x21\0\0\0\x20\0");
        cabinet.extend(name.as_bytes());
        cabinet.push(0);
    }
    for (bytes, size) in blocks {
        cabinet.extend([0; 4]);
        cabinet.extend(u16::try_from(bytes.len()).unwrap().to_le_bytes());
        cabinet.extend(size.to_le_bytes());
        cabinet.extend(*bytes);
    }
    let size = u32::try_from(cabinet.len()).unwrap();
    cabinet.splice(8..12, size.to_le_bytes());
    cabinet
}
