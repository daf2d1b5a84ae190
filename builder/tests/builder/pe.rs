//! The smallest PE images that have what the builder looks at.

use qfe_patcher::platform::Platform;

/// Where the one section starts, in the file and in memory.
const RAW: u32 = 0x200;
const RVA: u32 = 0x1000;

/// Makes an image with a version resource, or without sections, followed by `body`.
pub(crate) fn image(platform: Platform, version: Option<&str>, body: &[u8]) -> Vec<u8> {
    let mut image = match version {
        Some(text) => one_section(platform, *b".rsrc\0\0\0", &resources(&numbers(text))),
        None => {
            let mut image = headers(platform, 0, 0);
            image.resize(RAW as usize, 0);
            image
        }
    };
    image.extend(body);
    image
}

/// Makes a program for Intel with one section.
pub(crate) fn with_section(name: [u8; 8], bytes: &[u8]) -> Vec<u8> {
    let mut image = one_section(Platform::I386, name, bytes);
    image.resize(image.len().next_multiple_of(RAW as usize), 0);
    image
}

fn one_section(platform: Platform, name: [u8; 8], bytes: &[u8]) -> Vec<u8> {
    let size = u32::try_from(bytes.len()).unwrap();
    let mut image = headers(platform, 1, if name.starts_with(b".rsrc") { size } else { 0 });
    image.extend(name);
    put32(&mut image, &[size, RVA, size.next_multiple_of(RAW), RAW, 0, 0, 0, 0x4000_0040]);
    image.resize(RAW as usize, 0);
    image.extend(bytes);
    image
}

/// Makes the headers before the section table.
fn headers(platform: Platform, sections: u16, resources: u32) -> Vec<u8> {
    let mut image = vec![0; 64];
    image[..2].copy_from_slice(b"MZ");
    image[0x3c] = 64;
    image.extend(b"PE\0\0");
    // IMAGE_FILE_HEADER
    put16(&mut image, &[platform.machine().0, sections]);
    put32(&mut image, &[0x3800_0000, 0, 0]);
    put16(&mut image, &[96 + 16 * 8, 0x2102]);
    // IMAGE_OPTIONAL_HEADER32, of which only the directories count.
    let mut optional = vec![0; 92];
    optional[..2].copy_from_slice(&0x10b_u16.to_le_bytes());
    image.extend(optional);
    put32(&mut image, &[16]);
    for directory in 0..16 {
        let entry = if directory == 2 && resources > 0 { [RVA, resources] } else { [0, 0] };
        put32(&mut image, &entry);
    }
    image
}

/// Makes a resource section with `RCDATA` (type 10) of this name, in language 0x409.
pub(crate) fn named_resource(name: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let text: Vec<u16> = name.encode_utf16().collect();
    // Three directories of one entry, the data entry, the name.
    let (data_entry, name_at) = (0x48, 0x58);
    let data_at = (name_at + 2 + 2 * text.len()).next_multiple_of(8);
    let named = 0x8000_0000 | u32::try_from(name_at).unwrap();
    for (counts, id, next) in
        [([0, 1], 10, 0x8000_0018), ([1, 0], named, 0x8000_0030), ([0, 1], 0x409, data_entry)]
    {
        put32(&mut bytes, &[0, 0, 0]);
        put16(&mut bytes, &counts);
        put32(&mut bytes, &[id, next]);
    }
    put32(&mut bytes, &[RVA + u32::try_from(data_at).unwrap(), u32::try_from(data.len()).unwrap(), 0, 0]);
    put16(&mut bytes, &[u16::try_from(text.len()).unwrap()]);
    put16(&mut bytes, &text);
    bytes.resize(data_at, 0);
    bytes.extend(data);
    bytes
}

fn numbers(version: &str) -> Vec<u16> {
    version.split('.').map(|number| number.parse().unwrap()).collect()
}

/// Type 16, name 1, language 0x409, and a `VS_VERSIONINFO` with its fixed part and its language.
fn resources(version: &[u16]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (id, next) in [(16, 0x8000_0018), (1, 0x8000_0030), (0x409, 0x48)] {
        put32(&mut bytes, &[0, 0, 0]);
        put16(&mut bytes, &[0, 1]);
        put32(&mut bytes, &[id, next]);
    }
    let size = 40 + 52 + 32 + 36;
    put32(&mut bytes, &[RVA + 0x58, size.into(), 0, 0]);
    put16(&mut bytes, &[size, 52, 0]);
    bytes.extend("VS_VERSION_INFO\0\0".encode_utf16().flat_map(u16::to_le_bytes));
    put32(&mut bytes, &[0xfeef_04bd, 0x0001_0000]);
    put16(&mut bytes, &[version[1], version[0], version[3], version[2]]);
    put32(&mut bytes, &[0; 9]);
    // `VarFileInfo` with one `Translation`: American English, Unicode.
    put16(&mut bytes, &[32 + 36, 0, 1]);
    bytes.extend("VarFileInfo\0\0".encode_utf16().flat_map(u16::to_le_bytes));
    put16(&mut bytes, &[36, 4, 0]);
    bytes.extend("Translation\0\0".encode_utf16().flat_map(u16::to_le_bytes));
    put16(&mut bytes, &[0x409, 1200]);
    bytes
}

fn put16(bytes: &mut Vec<u8>, values: &[u16]) {
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
}

fn put32(bytes: &mut Vec<u8>, values: &[u32]) {
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
}

#[test]
fn the_patcher_reads_machine_and_version_of_these_images() {
    for platform in Platform::ALL {
        let read = qfe_patcher::image::Image::read(&image(platform, Some("2.0.1380.1125"), b"body")).unwrap();
        assert_eq!((read.machine, read.time_stamp), (platform.machine(), 0x3800_0000));
        assert_eq!(
            (read.version.unwrap().to_string().as_str(), read.language),
            ("2.0.1380.1125", Some(0x409))
        );
        assert_eq!(qfe_patcher::image::Image::read(&image(platform, None, b"")).unwrap().version, None);
    }
}

/// An image that is changed step by step, for what only a reviewer looks at.
pub(crate) struct Edited(Vec<u8>);

/// Where the parts of [`image`] lie: the file header, the checksum, the first data directory, the section table.
const FILE_HEADER: usize = 64 + 4;
const CHECKSUM: usize = FILE_HEADER + 20 + 64;
const DIRECTORIES: usize = FILE_HEADER + 20 + 96;
const SECTIONS: usize = DIRECTORIES + 16 * 8;
/// And in its version resource: the mask of the flags, which stand behind it, and the language.
const FLAGS: usize = RAW as usize + 0x98;
const LANGUAGE: usize = RAW as usize + 0x58 + 40 + 52 + 32 + 32;

impl Edited {
    pub(crate) fn new(image: Vec<u8>) -> Self {
        Self(image)
    }

    pub(crate) fn bytes(self) -> Vec<u8> {
        self.0
    }

    fn set(mut self, at: usize, value: u32) -> Self {
        self.0[at..at + 4].copy_from_slice(&value.to_le_bytes());
        self
    }

    pub(crate) fn stamped(self, stamp: u32) -> Self {
        self.set(FILE_HEADER + 4, stamp)
    }

    pub(crate) fn checksum(self, sum: u32) -> Self {
        self.set(CHECKSUM, sum)
    }

    pub(crate) fn language(self, language: u32) -> Self {
        self.set(LANGUAGE, language | 1200 << 16)
    }

    pub(crate) fn flags(self, flags: u32) -> Self {
        self.set(FLAGS, 0x3f).set(FLAGS + 4, flags)
    }

    /// Puts a certificate table at the end: eight bytes that say how long it is, and what it is.
    pub(crate) fn signed(mut self) -> Self {
        let at = u32::try_from(self.0.len()).unwrap();
        put32(&mut self.0, &[8, 0x0002_0200]);
        self.directory(4, at, 8)
    }

    fn directory(self, index: usize, at: u32, size: u32) -> Self {
        self.set(DIRECTORIES + 8 * index, at).set(DIRECTORIES + 8 * index + 4, size)
    }

    /// Adds a section at the end of the file; returns also where it is loaded.
    pub(crate) fn section(mut self, name: &str, is_code: bool, bytes: &[u8]) -> (Self, u32) {
        let count = usize::from(self.0[FILE_HEADER + 2]);
        let address = RVA + 0x10_0000 * u32::try_from(count + 1).unwrap();
        let (at, size) = (u32::try_from(self.0.len()).unwrap(), u32::try_from(bytes.len()).unwrap());
        let mut header = name.as_bytes().to_vec();
        header.resize(8, 0);
        let characteristics = if is_code { 0x6000_0020 } else { 0x4000_0040 };
        put32(&mut header, &[size.max(0x1000), address, size, at, 0, 0, 0, characteristics]);
        self.0[SECTIONS + 40 * count..SECTIONS + 40 * (count + 1)].copy_from_slice(&header);
        self.0[FILE_HEADER + 2] += 1;
        self.0.extend(bytes);
        (self, address)
    }

    /// Adds a table of exported names.
    pub(crate) fn exports(self, names: &[&str]) -> Self {
        let count = u32::try_from(names.len()).unwrap();
        let sections = u32::from(self.0[FILE_HEADER + 2]);
        let address = RVA + 0x10_0000 * (sections + 1);
        let mut table = Vec::new();
        put32(&mut table, &[0, 0, 0, 0, 1, 0, count, 0, address + 40, 0]);
        let mut at = address + 40 + 4 * count;
        for name in names {
            put32(&mut table, &[at]);
            at += u32::try_from(name.len()).unwrap() + 1;
        }
        for name in names {
            table.extend(name.bytes());
            table.push(0);
        }
        let size = u32::try_from(table.len()).unwrap();
        let (image, found) = self.section(".edata", false, &table);
        assert_eq!(found, address);
        image.directory(0, address, size)
    }
}
