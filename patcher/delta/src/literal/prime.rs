//! Teaching the contexts of literals what the old file's code is like.

use super::{POINTER, WORD, alpha, i386};
use crate::bytes::u32_at;
use crate::coder::Coder;
use crate::history::History;
use crate::isa::alpha::{format, has_base, opcode};
use crate::isa::i386::{Decoded, decode};
use crate::isa::{Body, Isa, Item, ItemKind};
use crate::literal::{BYTE, Text};
use crate::model::Teacher;
use crate::models::Models;
use crate::walk::Walk;

impl<C: Coder> Walk<'_, C> {
    /// Reads all code of the old file as if it were new, without coding anything.
    pub(crate) fn prime(&mut self) {
        let old = self.old.file;
        for region in old.regions.iter().filter(|region| region.isa != Isa::Data) {
            let mut reader = Reader::default();
            let mut at = region.start;
            while at < region.end {
                let item = old.item(at, region);
                let body = item.body(old.bytes, at);
                reader.read(&mut self.models, &item, &body, region.isa);
                at += item.size();
            }
            reader.teacher.finish(&mut self.models.shared);
        }
    }
}

/// What has been read of a region.
#[derive(Default)]
struct Reader {
    history: History,
    text: Text,
    /// The last bytes, the nearest highest, with zeros in place of references.
    before: u64,
    /// The last words, the nearest first.
    words: [u32; 3],
    teacher: Teacher,
}

impl Reader {
    fn read<C: Coder>(&mut self, models: &mut Models<C>, item: &Item, body: &Body, isa: Isa) {
        let bytes = body.get(..usize::from(item.len)).unwrap_or_default();
        match (item.kind, isa) {
            (ItemKind::Instruction, Isa::I386) => self.instruction(models, item, bytes),
            (ItemKind::Instruction, Isa::Alpha) => self.word(models, item, u32_at(body, 0)),
            (ItemKind::Pointer, _) => self.history.step(POINTER),
            _ => self.history.step(BYTE),
        }
        self.history.push(item.hash(body));
        for byte in bytes {
            self.before = self.before >> 8 | u64::from(*byte) << 56;
        }
    }

    fn instruction<C: Coder>(&mut self, models: &mut Models<C>, item: &Item, bytes: &[u8]) {
        let (mut start, mut len, mut before) = (0, 0, self.before);
        while let Some((so_far, [byte, ..])) = bytes.split_at_checked(len) {
            let Decoded::Partial { role, index, known } = decode(so_far) else { break };
            let spot = i386::Spot::new(role, index, known, so_far, start, before);
            let reference = u8::try_from(len).ok().and_then(|at| item.fields().find(|field| field.at == at));
            let passed = match reference {
                Some(field) => {
                    start = i386::extend(start, None);
                    field.reference.width()
                }
                None => {
                    let evidence = spot.evidence(&self.history, &self.text);
                    let byte = u32::from(*byte);
                    self.teacher.teach(&mut models.shared, &evidence, i386::TEXT_CONTEXTS, byte, 8);
                    start = i386::extend(start, Some(byte));
                    1
                }
            };
            for byte in bytes.iter().skip(len).take(passed as usize) {
                before = before >> 8 | u64::from(*byte) << 56;
            }
            len += passed as usize;
        }
        self.text.note_displacement(&item.instruction, bytes);
        self.history.step(i386::form(&item.instruction, bytes));
    }

    fn word<C: Coder>(&mut self, models: &mut Models<C>, item: &Item, word: u32) {
        let mut partial = alpha::Partial::new(self.words);
        let (always, unless_reference) = alpha::fields(format(word));
        let unless_reference = if item.references() > 0 { &[] } else { unless_reference };
        for field in [alpha::OPCODE].iter().chain(always).chain(unless_reference) {
            let value = word >> field.at & ((1 << field.bits) - 1);
            let evidence = partial.evidence(*field, &self.text);
            self.teacher.teach(&mut models.shared, &evidence, alpha::TEXT_CONTEXTS, value, field.bits);
            partial.add(*field, value);
        }
        if has_base(word) {
            self.text.note_offset(word);
        }
        let [last, second, _] = self.words;
        self.words = [word, last, second];
        self.history.step(opcode(word) | (word & 0x1f_0000) >> 8 | WORD);
    }
}
