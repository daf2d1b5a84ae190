//! Deltas and the images that they are made of.

use std::hint::black_box;

use qfe_delta::coder::Decoder;
use qfe_delta::file::File;
use qfe_delta::image::{self, Relocations, checksum, rich};
use qfe_delta::start::Start;
use qfe_delta::stream::transcode_from;
use qfe_delta::{HEAD, head};
use qfe_patcher::delta::Codec;
use qfe_patcher::image::Image;
use qfe_patcher::platform::Platform;
use qfe_payloads::SampleFile;

use super::{Target, join, split};

/// Most bytes that a delta may make here. An exe delta may make twice its input at most: its decoder makes some hundred thousand
/// bytes a second.
const LIMIT: usize = 64 << 10;
/// Room for two cut images: pairs of whole ones take a second, and a fuzzer wants many.
const PAIR: usize = 24 << 10;

/// The decoder of deltas between executables.
pub(super) const EXE: Target = Target {
    name: "exe",
    reads: "a start, an old file and the stream of an exe delta",
    run: exe,
    seeds: || {
        let deltas = deltas(Codec::Exe, |delta| delta.get(HEAD..).unwrap_or_default());
        deltas.iter().map(|delta| [&[TRAINED], delta.as_slice()].concat()).collect()
    },
    words: IMAGE_WORDS,
    largest: PAIR,
};

/// The decoder of BSDIFF40.
pub(super) const BSDIFF: Target = Target {
    name: "bsdiff",
    reads: "an old file and a bsdiff delta",
    run: bsdiff,
    seeds: || deltas(Codec::Bsdiff, |delta| delta),
    words: &[
        b"BSDIFF40",
        b"BZh9",
        b"1AY&SY",
        b"\x17\x72\x45\x38\x50\x90",
        &[0; 8],
        &[255; 8],
        b"\0\0\0\0\0\0\0\x80",
    ],
    largest: PAIR,
};

/// The codec for executables, both ways.
pub(super) const EXE_ROUND_TRIP: Target = Target {
    name: "exe_round_trip",
    reads: "an old and a new file, to encode for exe and to decode",
    run: |input| round_trip(Codec::Exe, input),
    seeds: pairs,
    words: IMAGE_WORDS,
    largest: PAIR,
};

/// BSDIFF40, both ways.
pub(super) const BSDIFF_ROUND_TRIP: Target = Target {
    name: "bsdiff_round_trip",
    reads: "an old and a new file, to encode for bsdiff and to decode",
    run: |input| round_trip(Codec::Bsdiff, input),
    seeds: pairs,
    words: &[&[0; 64], b"abcdabcdabcdabcd"],
    largest: PAIR,
};

/// The readers of images.
pub(super) const IMAGE: Target = Target {
    name: "image",
    reads: "a PE image",
    run: image,
    seeds: || {
        let images = whole_images().into_iter().chain(cut_images()).flatten();
        images.chain(std::iter::once(with_rich_header())).collect()
    },
    words: IMAGE_WORDS,
    largest: LIMIT,
};

const IMAGE_WORDS: &[&[u8]] = &[
    b"MZ",
    b"PE\0\0",
    b"\x4c\x01",
    b"\x84\x01",
    b"\x0b\x01",
    b"\x0b\x02",
    b"Rich",
    b"DanS",
    b"RSDS",
    b"\xbd\x04\xef\xfe",
    b"V\0S\0_\0V\0E\0R\0S\0I\0O\0N\0_\0I\0N\0F\0O\0\0\0",
    b"\x10\0\0\0",
    b"\xe8",
    b"\x0f\x84",
    b"\xff\x24\x85",
    b"\x68",
    &[0; 16],
    &[255; 4],
];

/// The first byte of an input for `exe` whose models begin as in the format. Those of all others begin untrained, which takes
/// a tenth of the time: most of what a small file takes.
const TRAINED: u8 = 0;

fn exe(input: &[u8]) {
    let Some((start, parts)) = input.split_first() else { return };
    let trained = *start == TRAINED;
    let start = if trained { Start::TRAINED } else { Start::default() };
    let (old, stream) = split(parts);
    let mut unmasked = old.to_vec();
    rich::unmask(&mut unmasked);
    // The head's checksum refuses nearly all, though at the end only: it is made right for what comes out.
    let limit = (2 * input.len()).clamp(1 << 10, LIMIT);
    let Ok((new, models)) = transcode_from(start, Decoder::new(stream), &unmasked, None, limit as u64) else {
        return;
    };
    assert!(new.len() <= limit, "{} bytes were made", new.len());
    if models.into_coder().finish().is_ok() && trained {
        let delta = [&head(old, &new), stream].concat();
        let again = Codec::Exe.decode(old.to_vec(), &delta, new.len() as u64);
        assert!(again.is_ok_and(|again| again == new), "the same stream makes another file");
    }
}

fn bsdiff(input: &[u8]) {
    let (old, delta) = split(input);
    if let Ok(new) = Codec::Bsdiff.decode(old.to_vec(), delta, LIMIT as u64) {
        assert!(new.len() <= LIMIT, "{} bytes were made", new.len());
    }
}

fn round_trip(codec: Codec, input: &[u8]) {
    let (old, new) = split(input);
    // It decodes, too, and compares.
    if let Err(error) = qfe_builder::delta::encode(codec, old, new) {
        panic!("{error:?}");
    }
}

fn image(input: &[u8]) {
    // What it says is compared with nothing; that it says something is enough.
    black_box(Image::read(input)).ok();
    let size = u32::try_from(input.len()).expect("inputs are small");
    // A decoder knows no more than the headers when it cuts the file.
    for known in [input, input.get(..input.len() / 2).unwrap_or_default()] {
        if let Some(image) = image::Image::read(known, size) {
            assert!(
                image.headers as usize <= known.len()
                    && Relocations::of(input, &image).count() <= input.len()
            );
            black_box(checksum(input, image.checksum_at()));
        }
    }
    let mut bytes = input.to_vec();
    rich::unmask(&mut bytes);
    let file = File::read(&bytes);
    let mut end = 0;
    for region in &file.regions {
        assert_eq!(region.start, end, "regions leave no gap");
        let mut at = region.start;
        while at < region.end {
            let item = file.item(at, region);
            for field in item.fields() {
                black_box(file.target(at + u32::from(field.at), field.reference, region));
            }
            black_box(file.class(at));
            assert!(item.size() > 0, "there is an item at {at}");
            at += item.size();
        }
        assert_eq!(at, region.end, "items end where their region does");
        end = region.end;
    }
    assert_eq!(end, size, "regions end where the file does");
}

/// Makes old and new file for each platform.
fn whole_images() -> [[Vec<u8>; 2]; 2] {
    [Platform::I386, Platform::Alpha].map(|platform| {
        let file = SampleFile::small(platform);
        [file.baseline(), file.updated()]
    })
}

/// Makes the same of no more than the beginnings of their sections.
fn cut_images() -> [[Vec<u8>; 2]; 2] {
    whole_images().map(|versions| versions.map(|image| cut(&image)))
}

/// Where a sample image has its section headers.
const SECTIONS_AT: usize = 0x178;
/// Where it says how long all headers are.
const HEADERS_AT: usize = 0xd4;
/// Bytes of all headers and of each section that a cut image has.
const CUT: usize = 0x280;

/// Cuts the sections of a sample image.
fn cut(image: &[u8]) -> Vec<u8> {
    let mut made = image.get(..CUT).expect("its headers are as long").to_vec();
    put(&mut made, HEADERS_AT, CUT);
    for header in (SECTIONS_AT..CUT).step_by(40).take_while(|at| word(image, at + 20) > 0) {
        let (size, offset) = (word(image, header + 16).min(CUT), word(image, header + 20));
        let mut section = image.get(offset..offset + size).expect("a section is in its file").to_vec();
        if image.get(header..).is_some_and(|name| name.starts_with(b".reloc")) {
            // The block ends where the table does.
            put(&mut section, 4, size);
        }
        put(&mut made, header + 16, size);
        let start = made.len();
        put(&mut made, header + 20, start);
        made.extend(section);
    }
    made
}

fn word(bytes: &[u8], at: usize) -> usize {
    let word = bytes.get(at..).and_then(|tail| tail.first_chunk());
    usize::try_from(u32::from_le_bytes(*word.expect("it lies in the image"))).expect("it is a size")
}

fn put(bytes: &mut [u8], at: usize, size: usize) {
    let word = bytes.get_mut(at..).and_then(|tail| tail.first_chunk_mut());
    *word.expect("it lies in the image") = u32::try_from(size).expect("images are small").to_le_bytes();
}

/// Puts a Rich header of one tool into an image, masked by its key.
fn with_rich_header() -> Vec<u8> {
    let mut image = cut(&SampleFile::small(Platform::I386).updated());
    let (tool, count) = (0x0104_5e97, 3);
    let words = [u32::from_le_bytes(*b"DanS"), 0, 0, 0, tool, count, u32::from_le_bytes(*b"Rich"), 0];
    let stub = image.get_mut(0x40..0x80).expect("the stub is there");
    stub.fill(0);
    for (word, place) in words.iter().zip(stub.chunks_mut(4)) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    rich::mask(&mut image);
    image
}

/// Makes pairs to be encoded.
fn pairs() -> Vec<Vec<u8>> {
    let mut pairs: Vec<Vec<u8>> = cut_images().iter().map(|[old, new]| join(old, new)).collect();
    let rich = with_rich_header();
    pairs.push(join(&rich, &rich));
    pairs.push(join(b"hello old world", b"hello new world!"));
    pairs.push(join(b"", b"new"));
    pairs
}

/// Makes deltas of those pairs, each behind its old file.
fn deltas(codec: Codec, part: fn(&[u8]) -> &[u8]) -> Vec<Vec<u8>> {
    let delta = |pair: &Vec<u8>| {
        let (old, new) = split(pair);
        let delta = qfe_builder::delta::encode(codec, old, new).expect("sample files can be encoded");
        join(old, part(&delta.bytes))
    };
    pairs().iter().map(delta).collect()
}

#[cfg(test)]
mod tests {
    use qfe_delta::isa::Isa;

    use super::*;

    #[test]
    fn seeds_have_what_is_particular_to_images() {
        assert!(rich::unmask(&mut with_rich_header()));
        let images = whole_images().into_iter().chain(cut_images());
        for ([_, new], isa) in images.zip([Isa::I386, Isa::Alpha].repeat(2)) {
            let file = File::read(&new);
            let image = file.image.as_ref().unwrap();
            assert!(Relocations::of(&new, image).count() > 100, "{isa:?}");
            assert!(file.regions.iter().any(|region| region.isa == isa), "{isa:?}");
        }
    }
}
