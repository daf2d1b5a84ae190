//! Teaching the contexts of literals what the old file's code is like.

use super::{BYTE, POINTER, alpha, i386};
use crate::bytes::u32_at;
use crate::coder::Coder;
use crate::isa::alpha::format;
use crate::isa::i386::{Decoded, decode};
use crate::isa::{Body, Isa, Item, ItemKind};
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
    /// What the last item was, roughly.
    form: u32,
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
            (ItemKind::Pointer, _) => self.form = POINTER,
            _ => self.form = BYTE,
        }
    }

    fn instruction<C: Coder>(&mut self, models: &mut Models<C>, item: &Item, bytes: &[u8]) {
        let (mut start, mut len) = (0, 0);
        while let Some((so_far, [byte, ..])) = bytes.split_at_checked(len) {
            let Decoded::Partial { role, index, known } = decode(so_far) else { break };
            let spot = i386::Spot::new(role, index, known, so_far, start);
            let reference = u8::try_from(len).ok().and_then(|at| item.fields().find(|field| field.at == at));
            let byte = reference.is_none().then(|| u32::from(*byte));
            if let Some(byte) = byte {
                self.teacher.teach(&mut models.shared, &spot.evidence(self.form), byte, 8);
            }
            start = i386::extend(start, byte);
            len += reference.map_or(1, |field| field.reference.width()) as usize;
        }
        self.form = i386::form(&item.instruction, bytes);
    }

    fn word<C: Coder>(&mut self, models: &mut Models<C>, item: &Item, word: u32) {
        let mut partial = alpha::Partial::new(self.words);
        let (always, unless_reference) = alpha::fields(format(word));
        let unless_reference = if item.references() > 0 { &[] } else { unless_reference };
        for field in [alpha::OPCODE].iter().chain(always).chain(unless_reference) {
            let value = word >> field.at & ((1 << field.bits) - 1);
            self.teacher.teach(&mut models.shared, &partial.evidence(*field), value, field.bits);
            partial.add(*field, value);
        }
        let [last, second, _] = self.words;
        self.words = [word, last, second];
    }
}
