//! The smallest PE images that have what the builder looks at.

use qfe_patcher::platform::Platform;

/// Where the one section starts, in the file and in memory.
const RAW: u32 = 0x200;
const RVA: u32 = 0x1000;

/// Makes an image with a version resource, or without sections, followed by `body`.
pub(crate) fn image(platform: Platform, version: Option<&str>, body: &[u8]) -> Vec<u8> {
    let resources = version.map(|text| resources(&numbers(text))).unwrap_or_default();
    let mut image = vec![0; 64];
    image[..2].copy_from_slice(b"MZ");
    image[0x3c] = 64;
    image.extend(b"PE\0\0");
    // IMAGE_FILE_HEADER
    let sections: u16 = if version.is_some() { 1 } else { 0 };
    put16(&mut image, &[platform.machine().0, sections]);
    put32(&mut image, &[0x3800_0000, 0, 0]);
    put16(&mut image, &[96 + 16 * 8, 0x2102]);
    // IMAGE_OPTIONAL_HEADER32, of which only the directories count.
    let mut optional = vec![0; 92];
    optional[..2].copy_from_slice(&0x10b_u16.to_le_bytes());
    image.extend(optional);
    put32(&mut image, &[16]);
    let size = u32::try_from(resources.len()).unwrap();
    for directory in 0..16 {
        let entry = if directory == 2 && size > 0 { [RVA, size] } else { [0, 0] };
        put32(&mut image, &entry);
    }
    if size > 0 {
        image.extend(b".rsrc\0\0\0");
        put32(&mut image, &[size, RVA, size, RAW, 0, 0, 0, 0x4000_0040]);
    }
    image.resize(RAW as usize, 0);
    image.extend(resources);
    image.extend(body);
    image
}

fn numbers(version: &str) -> Vec<u16> {
    version.split('.').map(|number| number.parse().unwrap()).collect()
}

/// Type 16, name 1, language 0x409, and a `VS_VERSIONINFO` with its fixed part only.
fn resources(version: &[u16]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (id, next) in [(16, 0x8000_0018), (1, 0x8000_0030), (0x409, 0x48)] {
        put32(&mut bytes, &[0, 0, 0]);
        put16(&mut bytes, &[0, 1]);
        put32(&mut bytes, &[id, next]);
    }
    put32(&mut bytes, &[RVA + 0x58, 40 + 52, 0, 0]);
    put16(&mut bytes, &[40 + 52, 52, 0]);
    bytes.extend("VS_VERSION_INFO\0\0".encode_utf16().flat_map(u16::to_le_bytes));
    put32(&mut bytes, &[0xfeef_04bd, 0x0001_0000]);
    put16(&mut bytes, &[version[1], version[0], version[3], version[2]]);
    put32(&mut bytes, &[0; 9]);
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
        assert_eq!(read.version.unwrap().to_string(), "2.0.1380.1125");
        assert_eq!(qfe_patcher::image::Image::read(&image(platform, None, b"")).unwrap().version, None);
    }
}
