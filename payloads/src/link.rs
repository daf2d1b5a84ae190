//! Lays a program out and resolves its references: the linker.
//!
//! ```text
//! .text   functions, on multiples of 16
//! .rdata  import addresses, read-only data, debug directory, import table, export table
//! .data   writable data, the message catalogue; behind its bytes in memory, the zeroed data
//! .pdata  a record for each function (Alpha)
//! .rsrc   the version
//! .reloc  base relocations
//! ```
//! Invariant: two links of the same order give the same image.

use std::collections::BTreeMap;
use std::ops::Range;

use qfe_patcher::platform::Platform;
use qfe_patcher::version::FileVersion;

use crate::bytes::{Bytes, count, high16_adjusted, low16};
use crate::isa::{self, Code, Field};
use crate::pe::directory::{self, Relocation, RelocationKind};
use crate::pe::{self, Directories, Directory, Image, Kind, Section};
use crate::program::{Contents, DatumId, FunctionId, Label, Program, Storage, Target, catalogue};

/// What to link, and as what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Order<'a> {
    pub(crate) program: &'a Program,
    pub(crate) platform: Platform,
    pub(crate) kind: Kind,
    /// The file name; its stem seeds the catalogue.
    pub(crate) name: &'a str,
    pub(crate) version: FileVersion,
    pub(crate) time_stamp: u32,
    /// Bytes of the message catalogue.
    pub(crate) catalogue: u32,
    /// Bytes of the debug records behind the sections.
    pub(crate) debug: u32,
}

/// A linked image, and what only the linker knows about it.
#[derive(Debug)]
pub(crate) struct Linked {
    pub(crate) image: Image,
    #[cfg_attr(not(test), expect(dead_code, reason = "only the tests hold images against it"))]
    pub(crate) map: Map,
}

/// What lies where, by RVA.
#[derive(Debug)]
pub(crate) struct Map {
    /// The functions, in ascending order.
    pub(crate) functions: Vec<Range<u32>>,
    /// The direct calls: the instruction and the function it names.
    pub(crate) calls: Vec<(u32, u32)>,
    /// The base relocations, in ascending order.
    pub(crate) relocations: Vec<Relocation>,
}

/// Where everything comes to lie, by RVA.
#[derive(Debug, Default)]
struct Places {
    functions: BTreeMap<FunctionId, u32>,
    labels: BTreeMap<(FunctionId, Label), u32>,
    data: BTreeMap<DatumId, u32>,
    /// The slots of the import address table.
    imports: Vec<u32>,
}

impl Places {
    fn rva(&self, target: Target) -> u32 {
        let found = match target {
            Target::Function(id) => self.functions.get(&id),
            Target::Label(id, label) => self.labels.get(&(id, label)),
            Target::Datum(id) => self.data.get(&id),
            Target::Import(id) => self.imports.get(usize::try_from(id.0).expect("u32 fits usize")),
        };
        *found.expect("a program's targets exist")
    }
}

/// Links a program.
pub(crate) fn link(order: &Order<'_>) -> Linked {
    let (image_base, section_alignment) = bases(order);
    let linker = Linker {
        order,
        image_base,
        section_alignment,
        places: Places::default(),
        map: Map { functions: Vec::new(), calls: Vec::new(), relocations: Vec::new() },
        sections: Vec::new(),
        directories: Directories::default(),
    };
    linker.link()
}

fn bases(order: &Order<'_>) -> (u32, u32) {
    let image_base = match order.kind {
        Kind::Executable => 0x0040_0000,
        Kind::Library => 0x1000_0000,
    };
    let section_alignment = match order.platform {
        Platform::I386 => 0x1000,
        Platform::Alpha => 0x2000,
    };
    (image_base, section_alignment)
}

struct Linker<'a> {
    order: &'a Order<'a>,
    image_base: u32,
    section_alignment: u32,
    places: Places,
    map: Map,
    sections: Vec<Section>,
    directories: Directories,
}

impl Linker<'_> {
    fn link(mut self) -> Linked {
        let order = self.order;
        let (codes, mut text) = self.place_functions();
        let text_rva = self.section_alignment;
        let rdata_rva = self.behind(text_rva, text.len());
        let mut rdata = self.place_read_only(rdata_rva);
        let data_rva = self.behind(rdata_rva, rdata.bytes.len());
        let (mut data, data_size) = self.place_writable(data_rva);

        self.resolve_code(&codes, text_rva, &mut text);
        self.resolve_data(rdata_rva, &mut rdata.bytes);
        self.resolve_data(data_rva, &mut data);

        let text_size = text.len();
        self.add(".text", text_size, text, pe::CODE);
        self.add(".rdata", rdata.bytes.len(), rdata.bytes.clone(), pe::READ_ONLY);
        self.add(".data", data_size, data, pe::WRITABLE);
        if order.platform == Platform::Alpha {
            let records = self.function_records(&codes);
            self.directories.exceptions = self.add(".pdata", records.len(), records, pe::READ_ONLY);
        }
        let resources = crate::resource::section(order.name, order.version, order.kind, self.next_rva());
        self.directories.resources = self.add(".rsrc", resources.len(), resources, pe::READ_ONLY);
        self.map.relocations.sort();
        let relocations = directory::relocations(&self.map.relocations);
        self.directories.relocations = self.add(".reloc", relocations.len(), relocations, pe::DISCARDABLE);

        let debug = self.debug(&rdata);
        let image = Image {
            machine: order.platform.machine().0,
            kind: order.kind,
            time_stamp: order.time_stamp,
            image_base: self.image_base,
            section_alignment: self.section_alignment,
            entry: self.places.rva(Target::Function(order.program.entry)),
            sections: self.sections,
            directories: self.directories,
            overlay: debug,
        };
        Linked { image, map: self.map }
    }

    fn behind(&self, rva: u32, size: u32) -> u32 {
        (rva + size).next_multiple_of(self.section_alignment)
    }

    fn next_rva(&self) -> u32 {
        self.sections
            .last()
            .map_or(self.section_alignment, |section| self.behind(section.rva, section.virtual_size))
    }

    fn add(
        &mut self,
        name: &'static str,
        virtual_size: u32,
        bytes: Bytes,
        characteristics: u32,
    ) -> Directory {
        let rva = self.next_rva();
        let size = bytes.len();
        self.sections.push(Section { name, rva, virtual_size, bytes, characteristics });
        Directory { rva, size }
    }

    /// Encodes the functions and puts them one after the other; references are still open.
    fn place_functions(&mut self) -> (Vec<(u32, Code)>, Bytes) {
        let mut text = Bytes::new();
        let mut codes = Vec::new();
        for function in &self.order.program.functions {
            isa::pad(self.order.platform, &mut text, 16);
            let rva = self.section_alignment + text.len();
            let code = isa::encode(self.order.platform, function);
            text.put(code.bytes.as_slice());
            self.places.functions.insert(function.id, rva);
            self.places
                .labels
                .extend(code.labels.iter().map(|(label, at)| ((function.id, *label), rva + at)));
            self.map.functions.push(rva..rva + code.bytes.len());
            codes.push((rva, code));
        }
        (codes, text)
    }

    fn place_read_only(&mut self, rva: u32) -> ReadOnly {
        let order = self.order;
        let imports = &order.program.imports;
        let addresses = Directory { rva, size: directory::import_addresses_size(imports) };
        let mut slot = rva;
        for group in imports.chunk_by(|a, b| a.library == b.library) {
            self.places.imports.extend((0..count(group)).map(|index| slot + index * 4));
            slot += (count(group) + 1) * 4;
        }
        let mut bytes = Bytes::new();
        bytes.zeros_to(addresses.size);
        self.place_data(Storage::ReadOnly, rva, &mut bytes);

        let debug = Directory {
            rva: rva + bytes.len(),
            size: directory::debug_entries(order.debug) * directory::DEBUG_ENTRY,
        };
        bytes.zeros_to(bytes.len() + debug.size);

        let table = directory::imports(imports, rva + bytes.len(), rva);
        let imports = Directory { rva: rva + bytes.len(), size: table.descriptors };
        bytes.put(table.table.as_slice());
        bytes.align(4);
        bytes.overwrite(0, table.addresses.as_slice());

        let exports: Vec<(String, u32)> = order
            .program
            .exports
            .iter()
            .map(|(name, id)| (name.clone(), self.places.rva(Target::Function(*id))))
            .collect();
        if !exports.is_empty() {
            let table = directory::exports(order.name, &exports, order.time_stamp, rva + bytes.len());
            self.directories.exports = Directory { rva: rva + bytes.len(), size: table.len() };
            bytes.put(table.as_slice());
        }
        self.directories.imports = imports;
        self.directories.import_addresses = addresses;
        self.directories.debug = debug;
        ReadOnly { bytes, debug_at: debug.rva - rva }
    }

    /// The writable data's bytes, and their size in memory.
    fn place_writable(&mut self, rva: u32) -> (Bytes, u32) {
        let mut bytes = Bytes::new();
        self.place_data(Storage::Writable, rva, &mut bytes);
        bytes.put(&catalogue(crate::sample::stem(self.order.name), self.order.catalogue));
        let mut size = bytes.len().next_multiple_of(16);
        for datum in &self.order.program.data {
            if let (Storage::Zeroed, Contents::Zeros(length)) = (datum.storage, &datum.contents) {
                self.places.data.insert(datum.id, rva + size);
                size += length;
            }
        }
        (bytes, size)
    }

    fn place_data(&mut self, storage: Storage, rva: u32, bytes: &mut Bytes) {
        for datum in self.order.program.data.iter().filter(|datum| datum.storage == storage) {
            bytes.align(4);
            self.places.data.insert(datum.id, rva + bytes.len());
            match &datum.contents {
                Contents::Text(text) => bytes.put_z(text.as_bytes()),
                Contents::Words(words) => words.iter().for_each(|word| bytes.u32(*word)),
                Contents::Pointers(targets) => targets.iter().for_each(|_| bytes.u32(0)),
                Contents::Zeros(length) => bytes.zeros_to(bytes.len() + length),
            }
        }
        bytes.align(4);
    }

    fn resolve_code(&mut self, codes: &[(u32, Code)], text_rva: u32, text: &mut Bytes) {
        for (start, code) in codes {
            for fixup in &code.fixups {
                let rva = self.places.rva(fixup.target) + fixup.addend;
                let address = self.image_base + rva;
                let offset = start - text_rva;
                match fixup.field {
                    Field::Relative32 { at } => {
                        text.set_u32(offset + at, rva.wrapping_sub(start + at + 4));
                        self.map.calls.push((start + at - 1, rva));
                    }
                    Field::Absolute32 { at } => {
                        text.set_u32(offset + at, address);
                        self.relocate(start + at, RelocationKind::HighLow);
                    }
                    Field::Branch21 { at } => {
                        let words = (rva.wrapping_sub(start + at + 4) >> 2) & 0x1f_ffff;
                        text.set_u32(offset + at, text.u32_at(offset + at) | words);
                        self.map.calls.push((start + at, rva));
                    }
                    Field::HighLow { high, low } => {
                        text.set_u16(offset + high, high16_adjusted(address));
                        text.set_u16(offset + low, low16(address));
                        self.relocate(start + high, RelocationKind::HighAdjusted { low: low16(address) });
                        self.relocate(start + low, RelocationKind::Low);
                    }
                }
            }
        }
    }

    fn resolve_data(&mut self, section: u32, bytes: &mut Bytes) {
        let end = section + bytes.len();
        for datum in &self.order.program.data {
            let Contents::Pointers(targets) = &datum.contents else { continue };
            let place = self.places.rva(Target::Datum(datum.id));
            if !(section..end).contains(&place) {
                continue;
            }
            for (target, slot) in targets.iter().zip((place..).step_by(4)) {
                bytes.set_u32(slot - section, self.image_base + self.places.rva(*target));
                self.map.relocations.push(Relocation { rva: slot, kind: RelocationKind::HighLow });
            }
        }
    }

    /// The records of `.pdata`: begin, end, handler, its data, end of the prologue.
    fn function_records(&mut self, codes: &[(u32, Code)]) -> Bytes {
        let rva = self.next_rva();
        let mut records = Bytes::new();
        for (start, code) in codes {
            let begin = self.image_base + start;
            for (field, address) in
                [begin, begin + code.bytes.len(), 0, 0, begin + code.body].into_iter().enumerate()
            {
                if !matches!(field, 2 | 3) {
                    self.relocate(rva + records.len(), RelocationKind::HighLow);
                }
                records.u32(address);
            }
        }
        records
    }

    fn relocate(&mut self, rva: u32, kind: RelocationKind) {
        self.map.relocations.push(Relocation { rva, kind });
    }

    /// The debug records; writes their directory into `.rdata`, now that the file's layout is known.
    fn debug(&mut self, rdata: &ReadOnly) -> Bytes {
        let order = self.order;
        let raw =
            self.sections.iter().map(|section| section.bytes.len().next_multiple_of(pe::FILE_ALIGNMENT));
        let offset = pe::headers_size(count(&self.sections)) + raw.sum::<u32>();
        let frames: Vec<(u32, u32)> = self
            .map
            .functions
            .iter()
            .map(|function| (function.start, function.end - function.start))
            .collect();
        let symbol_file = format!("release\\{}.dbg", crate::sample::stem(order.name).to_ascii_lowercase());
        let debug = directory::debug(&symbol_file, &frames, order.debug, offset, order.time_stamp);
        if let Some(section) = self.sections.iter_mut().find(|section| section.name == ".rdata") {
            section.bytes.overwrite(rdata.debug_at, debug.directory.as_slice());
        }
        debug.records
    }
}

/// The read-only section under construction.
struct ReadOnly {
    bytes: Bytes,
    /// Where the debug directory lies in it.
    debug_at: u32,
}
