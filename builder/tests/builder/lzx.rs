//! A writer of LZX as cabinets have it ([MS-PATCH], section 2), for tests: no other that could be installed writes it.
//!
//! One verbatim block, whatever its size, with codes of fixed lengths; greedy matches, none by a repeated offset. Calls of
//! Intel programs are translated, as Microsoft's own tools always do.

use std::collections::HashMap;

/// `typeCompress` with a window of 32 KiB.
pub(crate) const KIND: u16 = 15 << 8 | 3;

const FRAME: usize = 0x8000;
/// Slots of offsets for that window, and the elements of the main tree.
const SLOTS: usize = 30;
const MAIN: usize = 256 + 8 * SLOTS;
const LENGTHS: usize = 249;
/// Sizes of codes that fill their trees: 16 * 2^-8 + 480 * 2^-9 = 1, 7 * 2^-7 + 242 * 2^-8 = 1.
const MAIN_SHORT: (usize, u32) = (16, 8);
const LENGTH_SHORT: (usize, u32) = (7, 7);

/// Packs bytes into frames, each of 32 KiB but the last.
pub(crate) fn blocks(bytes: &[u8]) -> Vec<Vec<u8>> {
    if bytes.is_empty() {
        return Vec::new();
    }
    let bytes = &translated(bytes);
    let mut bits = Bits::default();
    // Calls are translated, for a file of this size.
    let size = u32::try_from(bytes.len()).unwrap();
    bits.put(1, 1);
    bits.put(size >> 16, 16);
    bits.put(size & 0xffff, 16);
    // A verbatim block of this size.
    bits.put(1, 3);
    bits.put(size >> 8, 16);
    bits.put(size & 0xff, 8);
    put_tree(&mut bits, 0..256, MAIN_SHORT);
    put_tree(&mut bits, 256..MAIN, MAIN_SHORT);
    put_tree(&mut bits, 0..LENGTHS, LENGTH_SHORT);
    let mut seen: HashMap<&[u8], usize> = HashMap::new();
    let mut frames = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let end = (at / FRAME + 1) * FRAME;
        let end = end.min(bytes.len());
        let known = bytes.get(at..at + 3).and_then(|three| seen.insert(three, at));
        // Of the window three bytes are the format's own.
        let from = known.filter(|from| at - from <= FRAME - 3);
        let length = from.map_or(0, |from| {
            bytes[from..].iter().zip(&bytes[at..end]).take(257).take_while(|(a, b)| a == b).count()
        });
        match from {
            Some(from) if length >= 3 => {
                put_match(&mut bits, at - from, length);
                at += length;
            }
            _ => {
                put_code(&mut bits, bytes[at].into(), MAIN_SHORT);
                at += 1;
            }
        }
        if at == end {
            frames.push(bits.take());
        }
    }
    frames
}

/// Makes the targets of calls absolute, frame by frame, as [MS-PATCH] 2.3.9.2 has it.
fn translated(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let size = i64::try_from(bytes.len()).unwrap();
    for (index, frame) in bytes.chunks_mut(FRAME).enumerate() {
        let mut at = 0;
        while at + 10 < frame.len() {
            if frame[at] != 0xe8 {
                at += 1;
                continue;
            }
            let position = i64::try_from(index * FRAME + at).unwrap();
            let relative = i64::from(i32::from_le_bytes(frame[at + 1..at + 5].try_into().unwrap()));
            let absolute = if (-position..size - position).contains(&relative) {
                relative + position
            } else if (size - position..size).contains(&relative) {
                relative - size
            } else {
                relative
            };
            frame[at + 1..at + 5].copy_from_slice(&i32::try_from(absolute).unwrap().to_le_bytes());
            at += 5;
        }
    }
    bytes
}

/// Writes the sizes of the codes of some elements, by a tree of two: what becomes of 0 when the size is taken away.
fn put_tree(bits: &mut Bits, elements: std::ops::Range<usize>, short: (usize, u32)) {
    let deltas = [17 - short.1, 17 - short.1 - 1];
    for element in 0..20 {
        bits.put(u32::from(deltas.contains(&element)), 4);
    }
    for element in elements {
        // The lower of the two has the code 0.
        bits.put(u32::from(element < short.0), 1);
    }
}

/// Writes the code of an element where the first ones have codes of the shorter size: canonical, the shorter come first.
fn put_code(bits: &mut Bits, element: usize, (count, size): (usize, u32)) {
    let number = |number: usize| u32::try_from(number).unwrap();
    if element < count {
        bits.put(number(element), size);
    } else {
        bits.put(number(2 * count + element - count), size + 1);
    }
}

fn put_match(bits: &mut Bits, offset: usize, length: usize) {
    let formatted = u32::try_from(offset + 2).unwrap();
    let (mut slot, mut base, mut footer) = (2, 2, 0);
    while base + (1 << footer) <= formatted {
        base += 1 << footer;
        slot += 1;
        footer = (slot / 2 - 1).min(17);
    }
    let header = (length - 2).min(7);
    put_code(bits, 256 + 8 * usize::try_from(slot).unwrap() + header, MAIN_SHORT);
    if header == 7 {
        put_code(bits, length - 9, LENGTH_SHORT);
    }
    bits.put(formatted - base, footer);
}

/// Bits, the highest first, in little-endian words of 16.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    word: u32,
    used: u32,
}

impl Bits {
    fn put(&mut self, value: u32, count: u32) {
        for bit in (0..count).rev() {
            self.word = self.word << 1 | (value >> bit & 1);
            self.used += 1;
            if self.used == 16 {
                self.bytes.extend(u16::try_from(self.word).unwrap().to_le_bytes());
                (self.word, self.used) = (0, 0);
            }
        }
    }

    /// Ends a frame: on a whole word.
    fn take(&mut self) -> Vec<u8> {
        while self.used > 0 {
            self.put(0, 1);
        }
        std::mem::take(&mut self.bytes)
    }
}
