//! Holds every generated file against the article's table and the PE format, with a reader of its own.

use std::ops::Range;
use std::sync::OnceLock;

use sha2::{Digest, Sha256};

use crate::link::Map;
use crate::pe::directory::RelocationKind;
use qfe_patcher::platform::Platform;
use qfe_patcher::version::FileVersion;

use crate::{SampleFile, SampleUpdate, Tree, updates};

struct Case {
    file: &'static SampleFile,
    tree: Tree,
    bytes: Vec<u8>,
    map: Map,
}

/// Every file in both trees.
fn cases() -> &'static [Case] {
    static CASES: OnceLock<Vec<Case>> = OnceLock::new();
    CASES.get_or_init(|| {
        let files = updates().iter().flat_map(|update| update.files);
        files
            .flat_map(|file| [Tree::Baseline, Tree::Update].map(|tree| (file, tree)))
            .map(|(file, tree)| {
                let linked = file.linked(tree);
                Case { file, tree, bytes: linked.image.write(), map: linked.map }
            })
            .collect()
    })
}

struct Section {
    name: String,
    virtual_size: u32,
    rva: u32,
    raw_size: u32,
    raw: u32,
}

impl Case {
    fn u16(&self, at: usize) -> u16 {
        u16::from_le_bytes(self.bytes[at..at + 2].try_into().unwrap())
    }

    fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.bytes[at..at + 4].try_into().unwrap())
    }

    fn pe(&self) -> usize {
        let at = self.u32(0x3c) as usize;
        assert_eq!(&self.bytes[at..at + 4], b"PE\0\0");
        at
    }

    fn optional(&self, offset: usize) -> u32 {
        self.u32(self.pe() + 24 + offset)
    }

    fn image_base(&self) -> u32 {
        self.optional(28)
    }

    fn directory(&self, index: usize) -> Range<u32> {
        let rva = self.optional(96 + index * 8);
        rva..rva + self.optional(100 + index * 8)
    }

    fn sections(&self) -> Vec<Section> {
        let pe = self.pe();
        let first = pe + 24 + self.u16(pe + 20) as usize;
        (0..self.u16(pe + 6) as usize)
            .map(|index| first + index * 40)
            .map(|at| Section {
                name: String::from_utf8_lossy(&self.bytes[at..at + 8]).trim_end_matches('\0').to_owned(),
                virtual_size: self.u32(at + 8),
                rva: self.u32(at + 12),
                raw_size: self.u32(at + 16),
                raw: self.u32(at + 20),
            })
            .collect()
    }

    fn section(&self, name: &str) -> Section {
        self.sections().into_iter().find(|section| section.name == name).unwrap()
    }

    /// Where the byte at an RVA lies in the file.
    fn offset(&self, rva: u32) -> usize {
        let sections = self.sections();
        let section = sections.iter().find(|s| (s.rva..s.rva + s.raw_size).contains(&rva)).unwrap();
        (rva - section.rva + section.raw) as usize
    }

    fn text(&self) -> Range<u32> {
        let text = self.section(".text");
        text.rva..text.rva + text.virtual_size
    }

    fn name(&self) -> String {
        format!("{} {:?} {:?}", self.file.name, self.file.platform, self.tree)
    }
}

#[test]
fn an_update_has_exactly_the_articles_size_and_a_baseline_another() {
    for case in cases() {
        match case.tree {
            Tree::Update => assert_eq!(case.bytes.len(), case.file.size as usize, "{}", case.name()),
            Tree::Baseline => {
                let (size, update) = (case.bytes.len(), case.file.size as usize);
                assert!(size < update && size > update / 100 * 98, "{}: {size}", case.name());
            }
        }
    }
}

#[test]
fn machine_and_time_stamp_are_those_of_the_table() {
    for case in cases() {
        let pe = case.pe();
        let machine = if case.file.platform == Platform::Alpha { 0x0184 } else { 0x014c };
        assert_eq!(case.u16(pe + 4), machine);
        assert_eq!(case.u32(pe + 8), case.file.time_stamp_in(case.tree));
        let library = case.u16(pe + 22) & 0x2000 != 0;
        assert_eq!(library, case.file.name.ends_with(".dll"));
        assert_eq!(case.u16(pe + 22) & 0x0102, 0x0102);
    }
    let baseobj = SampleUpdate::find("Q252717").unwrap().file("Baseobj.dll", Platform::Alpha).unwrap();
    assert_eq!(baseobj.time_stamp_in(Tree::Update), 945_710_280);
}

#[test]
fn the_checksum_is_that_of_the_file() {
    for case in cases() {
        let field = case.pe() + 24 + 64;
        let mut sum = 0_u64;
        for at in (0..case.bytes.len()).step_by(2).filter(|at| ![field, field + 2].contains(at)) {
            sum += u64::from(case.u16(at));
        }
        while sum >> 16 != 0 {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        assert_eq!(u64::from(case.u32(field)), sum + case.bytes.len() as u64, "{}", case.name());
    }
}

#[test]
fn the_version_resource_holds_the_version_as_numbers_and_as_text() {
    for case in cases() {
        let FileVersion([a, b, c, d]) = case.file.version_in(case.tree);
        let resources = case.section(".rsrc");
        let bytes = &case.bytes[resources.raw as usize..(resources.raw + resources.raw_size) as usize];
        let fixed = bytes.windows(4).position(|window| window == 0xfeef_04bd_u32.to_le_bytes()).unwrap();
        let word = |at: usize| u16::from_le_bytes([bytes[fixed + at], bytes[fixed + at + 1]]);
        assert_eq!([word(10), word(8), word(14), word(12)], [a, b, c, d]);
        for text in
            [case.file.version_in(case.tree).to_string(), case.file.name.to_owned(), "qfe sample".to_owned()]
        {
            let units: Vec<u8> = text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
            assert!(bytes.windows(units.len()).any(|window| window == units), "{}: {text}", case.name());
        }
    }
}

#[test]
fn sections_lie_in_the_file_and_apart() {
    for case in cases() {
        let alignment = if case.file.platform == Platform::Alpha { 0x2000 } else { 0x1000 };
        assert_eq!(case.optional(32), alignment);
        let mut memory = case.optional(60);
        let mut raw = case.optional(60);
        for section in case.sections() {
            assert_eq!(section.rva % alignment, 0);
            assert!(section.rva >= memory, "{}: {}", case.name(), section.name);
            assert_eq!(section.raw, raw, "{}: {}", case.name(), section.name);
            memory = section.rva + section.virtual_size;
            raw += section.raw_size;
        }
        assert_eq!(case.optional(56), memory.next_multiple_of(alignment));
        assert_eq!(case.bytes.len() - raw as usize, (case.file.size % 512) as usize);
        for index in 0..16 {
            let directory = case.directory(index);
            assert!(directory.end <= memory);
        }
    }
}

#[test]
fn relocations_lie_in_the_image_and_hold_addresses_of_it() {
    for case in cases() {
        let image = case.image_base()..case.image_base() + case.optional(56);
        let directory = case.directory(5);
        let end = case.offset(directory.start) + directory.len();
        let mut at = case.offset(directory.start);
        let mut read = Vec::new();
        while at < end {
            let (page, size) = (case.u32(at), case.u32(at + 4) as usize);
            assert_eq!((page % 0x1000, size % 4), (0, 0));
            let mut entries = (at + 8..at + size).step_by(2).map(|entry| case.u16(entry));
            while let Some(entry) = entries.next() {
                let rva = page + u32::from(entry & 0xfff);
                match entry >> 12 {
                    0 => assert_eq!(entry, 0),
                    2 => read.push((rva, RelocationKind::Low)),
                    3 => {
                        assert!(image.contains(&case.u32(case.offset(rva))), "{}: {rva:#x}", case.name());
                        read.push((rva, RelocationKind::HighLow));
                    }
                    4 => {
                        let low = entries.next().unwrap();
                        let high = u32::from(case.u16(case.offset(rva))) << 16;
                        let address = high.wrapping_add_signed(i32::from(low.cast_signed()));
                        assert!(image.contains(&address), "{}: {rva:#x}", case.name());
                        read.push((rva, RelocationKind::HighAdjusted { low }));
                    }
                    kind => panic!("{}: relocation of kind {kind}", case.name()),
                }
            }
            at += size;
        }
        assert_eq!(at, end);
        assert!(read.is_sorted());
        assert!(read.windows(2).all(|pair| pair[0].0 < pair[1].0));
        let linked: Vec<_> = case.map.relocations.iter().map(|entry| (entry.rva, entry.kind)).collect();
        assert_eq!(read, linked);
    }
}

#[test]
fn alpha_function_records_are_sorted_and_name_the_functions() {
    for case in cases() {
        let directory = case.directory(3);
        if case.file.platform == Platform::I386 {
            assert!(directory.is_empty());
            continue;
        }
        let base = case.image_base();
        let start = case.offset(directory.start);
        assert_eq!(directory.len() % 20, 0);
        let mut last = 0;
        let mut functions = Vec::new();
        for at in (start..start + directory.len()).step_by(20) {
            let [begin, end, prologue_end] = [0, 4, 16].map(|field| case.u32(at + field) - base);
            assert_eq!((case.u32(at + 8), case.u32(at + 12)), (0, 0));
            assert!(last <= begin && begin < prologue_end && prologue_end < end && end <= case.text().end);
            assert_eq!(begin % 16, 0);
            assert_eq!(case.u32(case.offset(begin)) >> 16, 0x23de, "a function begins with LDA sp,-n(sp)");
            functions.push(begin..end);
            last = end;
        }
        assert_eq!(functions, case.map.functions);
    }
}

#[test]
fn every_call_reaches_the_start_of_a_function() {
    for case in cases() {
        let starts: Vec<u32> = case.map.functions.iter().map(|function| function.start).collect();
        assert!(starts.is_sorted());
        assert!(case.map.calls.len() > starts.len());
        for (site, callee) in &case.map.calls {
            let at = case.offset(*site);
            let target = match case.file.platform {
                Platform::I386 => {
                    assert_eq!(case.bytes[at], 0xe8);
                    site.wrapping_add(5).wrapping_add(case.u32(at + 1))
                }
                Platform::Alpha => {
                    let word = case.u32(at);
                    assert_eq!(word >> 21, 0x34 << 5 | 26, "BSR ra");
                    let words = (word & 0x1f_ffff) << 11;
                    (site + 4).wrapping_add_signed(words.cast_signed() >> 9)
                }
            };
            assert_eq!(target, *callee);
            assert!(starts.binary_search(&target).is_ok(), "{}: {site:#x}", case.name());
        }
    }
}

#[test]
fn every_alpha_bsr_in_the_text_is_a_known_call() {
    for case in cases().iter().filter(|case| case.file.platform == Platform::Alpha) {
        let text = case.text();
        let found =
            (text.start..text.end).step_by(4).filter(|rva| case.u32(case.offset(*rva)) >> 26 == 0x34).count();
        assert_eq!(found, case.map.calls.len());
    }
}

#[test]
fn exports_of_libraries_are_sorted_and_name_functions() {
    for case in cases() {
        let directory = case.directory(0);
        assert_eq!(directory.is_empty(), case.file.name.ends_with(".exe"));
        if directory.is_empty() {
            continue;
        }
        let table = case.offset(directory.start);
        let number = case.u32(table + 24) as usize;
        assert!(number > 4);
        let [functions, names] = [28, 32].map(|field| case.offset(case.u32(table + field)));
        let starts: Vec<u32> = case.map.functions.iter().map(|function| function.start).collect();
        let mut spelled = Vec::new();
        for index in 0..number {
            assert!(starts.contains(&case.u32(functions + index * 4)));
            let name = &case.bytes[case.offset(case.u32(names + index * 4))..];
            spelled.push(name.split(|byte| *byte == 0).next().unwrap());
        }
        assert!(spelled.is_sorted());
    }
}

#[test]
fn twins_come_from_one_program() {
    for pair in cases().iter().filter(|case| case.file.platform == Platform::I386) {
        let twin = cases()
            .iter()
            .find(|case| {
                (case.file.name, case.file.version, case.tree)
                    == (pair.file.name, pair.file.version, pair.tree)
                    && case.file.platform == Platform::Alpha
            })
            .unwrap();
        assert_eq!(pair.map.functions.len(), twin.map.functions.len());
        assert_eq!(pair.map.calls.len(), twin.map.calls.len());
    }
}

/// What the catalogue makes up would be missing code: the search for the population must come close.
#[test]
fn the_catalogue_is_a_small_part_of_a_file() {
    for update in updates() {
        for file in update.files {
            let share = file.catalogue_share(Tree::Update);
            assert!(share < 60, "{} {:?}: {share} thousandths", file.name, file.platform);
        }
    }
}

#[test]
fn an_update_differs_from_its_baseline_in_part() {
    for file in updates().iter().flat_map(|update| update.files) {
        let of = |tree| cases().iter().find(|case| case.file == file && case.tree == tree).unwrap();
        let (old, new) = (of(Tree::Baseline), of(Tree::Update));
        // Blocks of 32 bytes that the baseline has somewhere, whatever their place.
        let known: std::collections::HashSet<&[u8]> = old.bytes.windows(32).collect();
        let blocks = new.bytes.chunks_exact(32);
        let (all, kept) = (blocks.len(), blocks.filter(|block| known.contains(block)).count());
        assert!(kept < all - all / 50, "{}: {kept} of {all} blocks kept", new.name());
        assert!(kept > all / 8, "{}: {kept} of {all} blocks kept", new.name());
    }
}

#[test]
fn two_runs_give_the_same_bytes() {
    for case in cases().iter().filter(|case| case.file.name == "Ccm.dll") {
        assert_eq!(case.file.bytes(case.tree), case.bytes);
    }
}

/// Pins the generator: bundles and measurements made from its files depend on every byte. A change of this
/// digest is a change of the samples, and is to be made on purpose.
#[test]
fn the_bytes_of_q252717_are_pinned() {
    let update = SampleUpdate::find("q252717").unwrap();
    let mut digest = Sha256::new();
    for case in cases().iter().filter(|case| update.files.contains(case.file)) {
        digest.update(case.name());
        digest.update(&case.bytes);
    }
    let hex: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, "568d0d9bbbeca87d3546671182ee66aa75d7cc36e5e7f8706bb81bcde28bbc4e");
}

#[test]
fn recipes_name_exactly_the_files_of_the_table() {
    for update in updates() {
        let recipe: toml::Table = update.recipe.parse().unwrap();
        assert_eq!(recipe["id"].as_str(), Some(update.id));
        assert_eq!(recipe["revision"].as_integer(), Some(1));
        let line = update.files[0].baseline;
        let build = i64::from(line.version().0[2]);
        assert_eq!(recipe["builds"].as_array().unwrap(), &[toml::Value::from(build)]);
        let baselines = recipe["baseline"].as_array().unwrap();
        assert_eq!(baselines.len(), 1);
        assert_eq!(baselines[0]["name"].as_str(), Some(line.name()));
        for platform in Platform::ALL {
            let folder = platform.name();
            assert_eq!(recipe["payload"][folder].as_str(), Some(format!("update/{folder}").as_str()));
            assert_eq!(baselines[0][folder].as_str(), Some(format!("baseline/{folder}").as_str()));
            let table: Vec<(String, String)> = update
                .files
                .iter()
                .filter(|file| file.platform == platform)
                .map(|file| (file.name.to_owned(), file.version.to_string()))
                .collect();
            let named: Vec<(String, String)> = recipe["file"]
                .as_array()
                .unwrap()
                .iter()
                .map(|file| {
                    let field = |key: &str| file[key].as_str().unwrap().to_owned();
                    (field("name"), field("version"))
                })
                .collect();
            assert_eq!(named, table);
        }
    }
}

#[test]
fn only_the_logon_fixes_are_limited_to_the_site_server() {
    for update in updates() {
        let recipe: toml::Table = update.recipe.parse().unwrap();
        for file in recipe["file"].as_array().unwrap() {
            let roles = file.get("roles").map(|roles| roles.as_array().unwrap().as_slice());
            match update.id {
                "Q249077" | "Q251070" => assert_eq!(roles, Some(&[toml::Value::from("site-server")][..])),
                _ => assert_eq!(roles, None),
            }
        }
    }
}
