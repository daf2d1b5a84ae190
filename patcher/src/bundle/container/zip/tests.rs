//! Archives byte by byte, cut off, damaged and contradictory; and those of the `zip` crate.

use std::collections::BTreeMap;
use std::io::{Cursor, Write};

use ::zip::write::SimpleFileOptions;
use ::zip::{CompressionMethod, ZipWriter};
use proptest::prelude::*;

use super::super::program::fixture::{patcher, program, ring};
use super::super::{Container, ContainerError};
use super::bytes::crc32;
use super::fixture::{DESCRIPTOR, Entry, archive, behind};

/// Two entries of the same contents, the one stored, the other as deflate's own stored block.
const LITERAL: &[&[u8]] = &[
    b"PK\x03\x04\x14\0\0\0\0\0\0\0\x21\0\x86\xa6\x10\x36\x05\0\0\0\x05\0\0\0\x05\0\0\0a.txthello",
    b"PK\x03\x04\x14\0\0\0\x08\0\0\0\x21\0\x86\xa6\x10\x36\x0a\0\0\0\x05\0\0\0\x07\0\0\0b/c.txt",
    b"\x01\x05\0\xfa\xffhello",
    b"PK\x01\x02\x14\x03\x14\0\0\0\0\0\0\0\x21\0\x86\xa6\x10\x36\x05\0\0\0\x05\0\0\0\x05\0\0\0\0\0\0\0\0\0",
    b"\0\0\xa4\x81\0\0\0\0a.txt",
    b"PK\x01\x02\x14\x03\x14\0\0\0\x08\0\0\0\x21\0\x86\xa6\x10\x36\x0a\0\0\0\x05\0\0\0\x07\0\0\0\0\0\0\0\0\0",
    b"\0\0\xa4\x81\x28\0\0\0b/c.txt",
    b"PK\x05\x06\0\0\0\0\x02\0\x02\0\x68\0\0\0\x57\0\0\0\0\0",
];
/// Where its parts begin.
const SECOND: usize = 40;
const DIRECTORY: usize = 87;
const SECOND_CENTRAL: usize = DIRECTORY + 51;
const END: usize = 191;

fn literal() -> Vec<u8> {
    LITERAL.concat()
}

type Members = BTreeMap<String, Vec<u8>>;

fn read(archive: &[u8]) -> Result<Members, ContainerError> {
    let mut container = Container::open(Cursor::new(archive.to_vec()))?;
    let names: Vec<_> = container.members().cloned().collect();
    names.into_iter().map(|name| Ok((name.to_string(), container.read(&name, 1 << 20)?))).collect()
}

/// Returns the error and its cause in one line.
fn refused(archive: &[u8]) -> String {
    match read(archive) {
        Ok(members) => panic!("{members:?}"),
        Err(error) => crate::chain::messages(&error).join(": "),
    }
}

fn hello() -> Members {
    ["a.txt", "b/c.txt"].map(|name| (name.to_owned(), b"hello".to_vec())).into()
}

/// Replaces bytes of the literal archive.
fn patched(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut archive = literal();
    archive[at..at + bytes.len()].copy_from_slice(bytes);
    archive
}

/// A stored entry of the contents of the literal archive.
fn hello_at(name: &str) -> Entry {
    Entry::new(name, b"hello")
}

/// An entry written by somebody who could not go back.
fn streamed(name: &str, descriptor: &[&[u8]]) -> Entry {
    let mut entry = Entry { flags: DESCRIPTOR, behind: descriptor.concat(), ..hello_at(name) };
    entry.sizes[1] = [0; 2];
    entry
}

/// Gives an archive a zip64 end, and all ones in place of what that says.
fn with_zip64_end(archive: &[u8]) -> Vec<u8> {
    let (before, end) = archive.split_at(archive.len() - 22);
    let wide = |field: &[u8]| {
        let mut wide = field.to_vec();
        wide.resize(8, 0);
        wide
    };
    let fields = [&end[8..10], &end[10..12], &end[12..16], &end[16..20]].map(wide).concat();
    let at = (before.len() as u64).to_le_bytes();
    [
        before,
        b"PK\x06\x06\x2c\0\0\0\0\0\0\0\x2d\0\x2d\0\0\0\0\0\0\0\0\0",
        &fields,
        b"PK\x06\x07\0\0\0\0",
        &at,
        b"\x01\0\0\0",
        b"PK\x05\x06\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0",
    ]
    .concat()
}

#[test]
fn the_literal_archive_is_read() {
    assert_eq!(read(&literal()).unwrap(), hello());
    assert_eq!(read(b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0").unwrap(), Members::new());
    assert_eq!(read(&[&literal()[..END + 20], b"\x03\0huh"].concat()).unwrap(), hello());
}

#[test]
fn an_archive_that_is_cut_off_anywhere_or_goes_on_is_refused() {
    let descriptor: &[&[u8]] = &[b"PK\x07\x08", &crc32(b"hello").to_le_bytes(), &[5, 0, 0, 0, 5, 0, 0, 0]];
    for archive in [literal(), with_zip64_end(&literal()), archive(&[streamed("a", descriptor)])] {
        for len in 0..archive.len() {
            refused(&archive[..len]);
        }
        refused(&[archive.as_slice(), b"\0"].concat());
    }
}

/// What no program reads, such as the time, may be anything; whatever else changes is found.
#[test]
fn no_bit_of_an_archive_changes_what_is_read() {
    let descriptor: &[&[u8]] = &[&crc32(b"hello").to_le_bytes(), &[5, 0, 0, 0, 5, 0, 0, 0]];
    for archive in [literal(), with_zip64_end(&literal()), archive(&[streamed("a", descriptor)])] {
        let whole = read(&archive).unwrap();
        let mut changed = archive.clone();
        let mut unnoticed = 0;
        for at in 0..archive.len() {
            for bit in 0..8 {
                changed[at] ^= 1 << bit;
                if let Ok(members) = read(&changed) {
                    assert_eq!(members, whole, "bit {bit} of byte {at}");
                    unnoticed += 1;
                }
                changed[at] ^= 1 << bit;
            }
        }
        // Versions, times, attributes, and bits between deflate's blocks.
        assert!(unnoticed < archive.len() * 3, "{unnoticed} of {} bits", archive.len() * 8);
    }
}

#[test]
fn an_archive_behind_a_program_and_its_key_ring_is_read_and_behind_nothing_else() {
    let entries = [Entry::new("a.txt", b"hello")];
    let wanted = read(&archive(&entries)).unwrap();
    let mut marks = program();
    marks.extend(*b"PK\x05\x06 or PK\x03\x04 in a program");
    marks.resize(0x600, 0);
    marks[0x149] = 4;
    for before in
        [patcher(), marks, [program(), ring("threshold = 1", 13)].concat(), [program(), ring("", 0)].concat()]
    {
        assert_eq!(read(&behind(&before, &entries)).unwrap(), wanted);
    }
    // As appending leaves it: positions count from the archive's own beginning.
    let appended = [program(), archive(&entries)].concat();
    assert!(refused(&appended).contains("count from its own beginning at byte 1024"));
    for (before, words) in [
        ([program(), b"more".to_vec()].concat(), "4 bytes before its first entry"),
        ([program(), ring("text", 3)].concat(), "1 bytes before its first entry"),
        ([program(), ring("", 0), ring("", 0)].concat(), "12 bytes before its first entry"),
        ([program(), ring("", u32::MAX)].concat(), "a key ring of 4294967295 bytes"),
        ([program(), ring("", 0x1_0001)].concat(), "a key ring of 65537 bytes"),
        (program()[..0x3ff].to_vec(), "an entry at byte 1023, in the program before it"),
        (b"MZ".to_vec(), "no whole headers of a program"),
        (program()[..0x40].to_vec(), "no whole headers of a program"),
        (b"PK\x03\x04 and more".to_vec(), "bytes before its first entry"),
        (b"#!".to_vec(), "behind a program (MZ)"),
    ] {
        let message = refused(&behind(&before, &entries));
        assert!(message.contains(words), "{words}: {message}");
    }
    // Nor cut off anywhere, nor with anything behind it.
    let whole = behind(&[program(), ring("threshold = 1", 13)].concat(), &entries);
    for end in 0..whole.len() {
        refused(&whole[..end]);
    }
    refused(&[&whole[..], b"x"].concat());
}

#[test]
fn what_two_readers_could_see_differently_is_refused_by_name() {
    for (at, bytes, words) in [
        (0, b"PK\x03\x05".as_slice(), "at byte 0 is no local header, where \"a.txt\" should be"),
        (6, b"\x02", "\"a.txt\", of which the local header has flags 2 and the directory 0"),
        (8, b"\x08", "the local header has method 8 and the directory 0"),
        (14, b"\0", "\"a.txt\", of which the local header has CRC-32"),
        (18, b"\x06", "the local header has packed size 6 and the directory 5"),
        (22, b"\x06", "the local header has size 6 and the directory 5"),
        (30, b"b", "\"a.txt\", of which the local header has the name \"b.txt\""),
        (26, b"\x04\0\x01", "the local header has the name \"a.tx\""),
        (DIRECTORY + 8, b"\x01", "\"a.txt\", which is encrypted"),
        (DIRECTORY + 8, b"\x21", "encrypted"),
        (DIRECTORY + 8, b"\x20", "\"a.txt\" with flags 0x0020"),
        (DIRECTORY + 9, b"\x20", "\"a.txt\" with flags 0x2000"),
        (DIRECTORY + 10, b"\x0c", "\"a.txt\" packed by method 12"),
        (DIRECTORY + 34, b"\x01", "\"a.txt\", which is on disk 1"),
        (DIRECTORY + 38, b"\x10", "which is a folder"),
        (DIRECTORY + 41, b"\xa1", "which is a folder, a link or a device"),
        (DIRECTORY + 50, b"/", "\"a.tx/\", which is a folder"),
        (DIRECTORY + 42, b"\x01", "1 bytes before its first entry"),
        (DIRECTORY + 42, b"\x28", "before its first entry"),
        (SECOND_CENTRAL + 42, b"\0", "\"a.txt\", which ends at byte 40 where something else begins at 0"),
        (SECOND_CENTRAL + 42, b"\x27", "\"a.txt\", which ends at byte 40 where something else begins at 39"),
        (SECOND_CENTRAL + 42, b"\x29", "1 bytes behind \"a.txt\" that belong to nothing"),
        (SECOND_CENTRAL + 20, b"\x09", "packed size 10 and the directory 9"),
        (SECOND_CENTRAL + 30, b"\x01", "fewer entries than its end says, or is cut off"),
        (END + 4, b"\x01", "entries on another disk"),
        (END + 6, b"\x01", "entries on another disk"),
        (END + 8, b"\x01", "entries on another disk"),
        (END + 8, b"\x01\0\x01", "53 bytes behind the 1 entries of its directory"),
        (END + 8, b"\x03\0\x03", "fewer entries than its end says"),
        (END + 8, b"\xff\xff\xff\xff", "65535 members, at most 10000"),
        (END + 12, b"\xff", "the directory is to have 255 bytes, and ends at byte 191"),
        (END + 12, b"\xff\xff\xff\xff", "a directory of 4294967295 bytes"),
        (END + 16, b"\x58", "the directory is at byte 87, its end says at 88"),
        (END + 20, b"\x01", "no end of a zip archive"),
        (40, b"QK", "at byte 40 is no local header, where \"b/c.txt\" should be"),
        (35, b"H", "member a.txt is damaged: its CRC-32 is"),
        (77, b"\x06", "member b/c.txt is damaged"),
        (77, b"\0", "its 10 deflated bytes do not end after 5"),
        (78, b"\x04\0\xfb", "1 bytes follow the end of its deflated data"),
    ] {
        let message = refused(&patched(at, bytes));
        assert!(message.contains(words), "{at}: {message}");
    }
    // A reader that looks for the last mark takes either for the end, however long its comment is said to be.
    for comment_of_second in [0, 1] {
        let second =
            [&literal()[..END + 20], b"\x16\0PK\x05\x06", &[0; 16], &[comment_of_second, 0]].concat();
        assert!(refused(&second).contains("the mark of a second end behind its end"));
    }
    for (first, second) in [("x", "x"), ("x", "X")] {
        let message = refused(&archive(&[hello_at(first), hello_at(second)]));
        assert!(message.contains("have one name, ignoring case"), "{message}");
    }
}

#[test]
fn sizes_are_believed_within_what_the_data_can_be() {
    let with = |packed: u32, size: u32| {
        let mut archive = literal();
        for at in [SECOND + 18, SECOND_CENTRAL + 20] {
            archive[at..at + 4].copy_from_slice(&packed.to_le_bytes());
            archive[at + 4..at + 8].copy_from_slice(&size.to_le_bytes());
        }
        archive
    };
    assert!(refused(&with(10, 4)).contains("its 10 deflated bytes do not end after 4"));
    assert!(refused(&with(10, 6)).contains("it has 5 bytes, the directory says 6"));
    assert!(refused(&with(10, 10_321)).contains("its size is 10321, which 10 deflated bytes cannot make"));
    assert!(refused(&with(11, 5)).contains("ends at byte 88 where something else begins at 87"));
    assert!(refused(&with(10, u32::MAX)).contains("larger than the 1048576 bytes it may have"));
    let mut stored = literal();
    stored[22] = 6;
    stored[DIRECTORY + 24] = 6;
    assert!(refused(&stored).contains("it is stored as 5 bytes, and has 6"));
    // Something behind the end of the deflated data.
    let mut longer = hello_at("a");
    (longer.data, longer.sizes) = (b"\x01\x05\0\xfa\xffhello!".to_vec(), [[11, 5]; 2]);
    let mut longer = archive(&[longer]);
    let directory = longer.len() - 22 - 47;
    (longer[8], longer[directory + 10]) = (8, 8);
    assert!(refused(&longer).contains("1 bytes follow the end of its deflated data"));
}

#[test]
fn a_descriptor_is_read_in_each_of_its_forms_and_must_agree() {
    let crc = crc32(b"hello").to_le_bytes();
    let (mark, five, wide_five) = (b"PK\x07\x08".as_slice(), [5, 0, 0, 0], 5_u64.to_le_bytes());
    let wide = |descriptor: &[&[u8]]| {
        let extra = [[1, 0, 16, 0].as_slice(), &[0; 16]].concat();
        let mut entry = Entry { local_extra: extra, ..streamed("a", descriptor) };
        entry.sizes[1] = [u32::MAX; 2];
        entry
    };
    for entry in [
        streamed("a", &[&crc, &five, &five]),
        streamed("a", &[mark, &crc, &five, &five]),
        wide(&[&crc, &wide_five, &wide_five]),
        wide(&[mark, &crc, &wide_five, &wide_five]),
    ] {
        assert_eq!(read(&archive(&[entry, hello_at("b")])).unwrap().len(), 2);
    }
    for (entry, words) in [
        (streamed("a", &[]), "0 bytes behind \"a\" for its descriptor, where 12 or 16 are wanted"),
        (streamed("a", &[&crc, &wide_five, &wide_five]), "20 bytes behind \"a\""),
        (wide(&[&crc, &five, &five]), "12 bytes behind \"a\" for its descriptor, where 20 or 24 are wanted"),
        (streamed("a", &[&crc, &five, &[6, 0, 0, 0]]), "a descriptor behind \"a\" that says something else"),
        (streamed("a", &[b"PK\x07\x09", &crc, &five, &five]), "says something else"),
        (Entry { behind: vec![0; 12], ..hello_at("a") }, "12 bytes behind \"a\" that belong to nothing"),
    ] {
        let message = refused(&archive(&[entry]));
        assert!(message.contains(words), "{message}");
    }
    let mut stated = streamed("a", &[&crc, &five, &five]);
    stated.sizes[1] = [5, 5];
    assert_eq!(read(&archive(&[stated.clone()])).unwrap().len(), 1);
    stated.sizes[1] = [5, 6];
    assert!(refused(&archive(&[stated])).contains("the local header has size 6"));
}

#[test]
fn zip64_is_read_where_a_field_is_all_ones_and_must_be_whole() {
    let field = |numbers: &[u64]| {
        let numbers: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        [[1, 0, u8::try_from(numbers.len()).unwrap(), 0].as_slice(), &numbers].concat()
    };
    let ones = [[u32::MAX; 2]; 2];
    let wide = |central_extra: Vec<u8>, local_extra: Vec<u8>| {
        archive(&[Entry { sizes: ones, central_extra, local_extra, ..hello_at("a") }])
    };
    assert_eq!(read(&wide(field(&[5, 5]), field(&[5, 5]))).unwrap()["a"], b"hello");
    assert!(
        refused(&wide(field(&[5]), field(&[5, 5]))).contains("\"a\", whose zip64 extra field is too short")
    );
    assert!(refused(&wide(field(&[5, 5]), field(&[5, 6]))).contains("the local header has packed size 6"));
    assert!(refused(&wide(field(&[5, u64::MAX]), field(&[5, u64::MAX]))).contains("ends at byte"));
    assert!(
        refused(&wide(field(&[5, 5])[..19].to_vec(), Vec::new())).contains("whose extra field is cut off")
    );
    let twice = [field(&[5, 5]), field(&[5, 5])].concat();
    assert!(
        refused(&wide(twice, field(&[5, 5]))).contains("a second size, place or name in its extra field")
    );
    let renamed = Entry { central_extra: b"\x75\x70\x06\0\x01\0\0\0\0b".to_vec(), ..hello_at("a") };
    assert!(refused(&archive(&[renamed])).contains("a second size, place or name in its extra field"));
    let timed = Entry { central_extra: b"UT\x05\0\x03\0\0\0\0".to_vec(), ..hello_at("a") };
    assert_eq!(read(&archive(&[timed])).unwrap().len(), 1);

    let wide = with_zip64_end(&literal());
    assert_eq!(read(&wide).unwrap(), hello());
    let (end64, locator, end) = (END, END + 56, END + 76);
    for (at, bytes, words) in [
        (end64, b"QK".as_slice(), "at byte 191 is no zip64 end of 56 bytes, which its locator promises"),
        (end64 + 4, b"\x2d", "no zip64 end of 56 bytes"),
        (end64 + 16, b"\x01", "entries on another disk"),
        (end64 + 24, b"\x01", "entries on another disk"),
        (end64 + 32, b"\x01", "entries on another disk"),
        (end64 + 40, b"\x67", "something else than its zip64 end"),
        (end64 + 55, b"\x80", "something else than its zip64 end"),
        (locator + 4, b"\x01", "something else than its zip64 end"),
        (locator + 8, b"\0", "something else than its zip64 end"),
        (locator + 16, b"\x02", "something else than its zip64 end"),
        (end + 4, b"\x01\0", "something else than its zip64 end"),
        (end + 10, b"\x03\0", "something else than its zip64 end"),
        (end + 12, b"\0\0\0\0", "something else than its zip64 end"),
    ] {
        let mut archive = wide.clone();
        archive[at..at + bytes.len()].copy_from_slice(bytes);
        let message = refused(&archive);
        assert!(message.contains(words), "{at}: {message}");
    }
    // The end may say itself what it can.
    let mut agreeing = wide;
    agreeing[end + 4..end + 20].copy_from_slice(&literal()[END + 4..END + 20]);
    assert_eq!(read(&agreeing).unwrap(), hello());
}

/// How the other implementation is to write.
#[derive(Clone, Copy, Debug)]
struct Manner {
    method: CompressionMethod,
    is_large: bool,
    is_streamed: bool,
}

fn written_by_the_crate(members: &Members, manner: Manner) -> Vec<u8> {
    fn add<W: Write + std::io::Seek>(mut writer: ZipWriter<W>, members: &Members, manner: Manner) -> W {
        let options =
            SimpleFileOptions::default().compression_method(manner.method).large_file(manner.is_large);
        for (name, bytes) in members {
            writer.start_file(name.as_str(), options).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap()
    }
    if manner.is_streamed {
        add(ZipWriter::new_stream(Vec::new()), members, manner).into_inner()
    } else {
        add(ZipWriter::new(Cursor::new(Vec::new())), members, manner).into_inner()
    }
}

fn members() -> impl Strategy<Value = Members> {
    let contents = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..2000),
        (any::<u8>(), 0..100_000_usize).prop_map(|(byte, len)| vec![byte; len]),
    ];
    proptest::collection::btree_map("[a-m]{1,8}(/[n-y]{1,8}\\.dll)?", contents, 0..6)
}

fn manner() -> impl Strategy<Value = Manner> {
    let method = prop_oneof![Just(CompressionMethod::Stored), Just(CompressionMethod::Deflated)];
    (method, any::<bool>(), any::<bool>()).prop_map(|(method, is_large, is_streamed)| Manner {
        method,
        is_large,
        is_streamed,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn what_the_zip_crate_writes_is_read(members in members(), manner in manner()) {
        prop_assert_eq!(read(&written_by_the_crate(&members, manner)).unwrap(), members);
    }

    #[test]
    fn a_damaged_archive_never_gives_other_contents(
        members in members(), manner in manner(), damage in any::<(prop::sample::Index, Vec<u8>)>(),
    ) {
        let mut archive = written_by_the_crate(&members, manner);
        let at = damage.0.index(archive.len());
        for (byte, new) in archive.iter_mut().skip(at).zip(&damage.1) {
            *byte = *new;
        }
        if let Ok(found) = read(&archive) {
            prop_assert!(found.values().all(|bytes| members.values().any(|known| known == bytes)));
        }
    }

    #[test]
    fn no_bytes_at_all_make_it_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..300), end in any::<[u8; 18]>()) {
        bytes.splice(0..0, *b"PK");
        bytes.extend(b"PK\x05\x06");
        bytes.extend(end);
        drop(read(&bytes));
    }
}
