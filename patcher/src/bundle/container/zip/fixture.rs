//! Zip archives for tests, made field by field (PKWARE APPNOTE).

/// A descriptor follows the data, and the local header has no CRC-32.
pub(crate) const DESCRIPTOR: u16 = 1 << 3;

/// An entry that a test writes as it likes.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) name: Vec<u8>,
    /// The name as the local header has it.
    pub(crate) local_name: Vec<u8>,
    pub(crate) flags: u16,
    /// 0 stored, 8 deflated.
    pub(crate) method: u16,
    pub(crate) crc: u32,
    /// Packed size and size as the central header has them, and as the local one has them.
    pub(crate) sizes: [[u32; 2]; 2],
    pub(crate) central_extra: Vec<u8>,
    pub(crate) local_extra: Vec<u8>,
    pub(crate) data: Vec<u8>,
    /// What follows the data: a descriptor, or what belongs to nothing.
    pub(crate) behind: Vec<u8>,
    /// On which system it was made, and its attributes there.
    pub(crate) made_by: u16,
    pub(crate) attributes: u32,
    /// Where the directory says it is, if that is not where it is.
    pub(crate) position: Option<u32>,
}

impl Entry {
    /// A stored entry.
    pub(crate) fn new(name: &str, data: &[u8]) -> Self {
        let mut crc = flate2::Crc::new();
        crc.update(data);
        Self {
            name: name.into(),
            local_name: name.into(),
            flags: 0,
            method: 0,
            crc: crc.sum(),
            sizes: [[u32::try_from(data.len()).unwrap(); 2]; 2],
            central_extra: Vec::new(),
            local_extra: Vec::new(),
            data: data.to_vec(),
            behind: Vec::new(),
            made_by: 20,
            attributes: 0,
            position: None,
        }
    }
}

/// Puts what stands before an archive there, and makes its positions count from the beginning of both.
pub(crate) fn behind(before: &[u8], entries: &[Entry]) -> Vec<u8> {
    let before_size = u32::try_from(before.len()).unwrap();
    let mut at = before_size;
    let mut moved = entries.to_vec();
    for entry in &mut moved {
        entry.position.get_or_insert(at);
        let size =
            30 + entry.local_name.len() + entry.local_extra.len() + entry.data.len() + entry.behind.len();
        at += u32::try_from(size).unwrap();
    }
    [before, &archive_with(&moved, |end| end[3] += before_size)].concat()
}

/// Makes an archive of entries.
pub(crate) fn archive(entries: &[Entry]) -> Vec<u8> {
    archive_with(entries, |_| {})
}

/// Makes an archive of entries; `end` changes what its end says before it is written: entries on this disk, entries, size of the
/// directory, its position.
pub(crate) fn archive_with(entries: &[Entry], end: impl FnOnce(&mut [u32; 4])) -> Vec<u8> {
    let (mut out, mut central) = (Vec::<u8>::new(), Vec::<u8>::new());
    let size = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap();
    for entry in entries {
        let position = entry.position.unwrap_or(size(&out));
        let fields = |crc: u32, [packed, size]: [u32; 2], name: &[u8], extra: &[u8]| {
            let mut fields =
                [[20, 0], entry.flags.to_le_bytes(), entry.method.to_le_bytes(), [0, 0], [0x21, 0]].concat();
            for number in [crc, packed, size] {
                fields.extend(number.to_le_bytes());
            }
            for length in [name.len(), extra.len()] {
                fields.extend(u16::try_from(length).unwrap().to_le_bytes());
            }
            fields
        };
        let local_crc = if entry.flags & DESCRIPTOR == 0 { entry.crc } else { 0 };
        let local = fields(local_crc, entry.sizes[1], &entry.local_name, &entry.local_extra);
        for part in
            [b"PK\x03\x04", &local[..], &entry.local_name, &entry.local_extra, &entry.data, &entry.behind]
        {
            out.extend(part);
        }
        let header = fields(entry.crc, entry.sizes[0], &entry.name, &entry.central_extra);
        for part in [
            b"PK\x01\x02",
            &entry.made_by.to_le_bytes()[..],
            &header,
            &[0; 6],
            &entry.attributes.to_le_bytes(),
            &position.to_le_bytes(),
            &entry.name,
            &entry.central_extra,
        ] {
            central.extend(part);
        }
    }
    let count = u32::try_from(entries.len()).unwrap();
    let mut numbers = [count, count, size(&central), size(&out)];
    end(&mut numbers);
    out.extend(central);
    out.extend(b"PK\x05\x06\0\0\0\0");
    for (number, bytes) in numbers.iter().zip([2, 2, 4, 4]) {
        out.extend(&number.to_le_bytes()[..bytes]);
    }
    out.extend([0; 2]);
    out
}
