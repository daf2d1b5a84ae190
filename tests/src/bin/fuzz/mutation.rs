//! Changes of inputs.

/// Random numbers (SplitMix64).
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// Begins with a seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns the next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number below `end`, which is not zero.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).unwrap_or(0)
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    /// Returns a length up to `end`, more likely a short one.
    fn length(&mut self, end: usize) -> usize {
        let most = [4, 16, 64, end].get(self.below(4)).copied().unwrap_or(end).min(end);
        self.below(most + 1)
    }
}

/// Numbers at which readers change their mind.
const NUMBERS: [u32; 16] =
    [0, 1, 2, 4, 8, 16, 64, 127, 128, 255, 256, 4096, 0x7fff, 0xffff, 0x7fff_ffff, 0xffff_ffff];

/// Changes an input, in one place or several; `other` is another input, `words` are what readers look for.
pub(crate) fn mutate(
    input: &mut Vec<u8>,
    other: &[u8],
    words: &[&[u8]],
    largest: usize,
    random: &mut Random,
) {
    for _ in 0..1 << random.below(5) {
        change(input, other, words, random);
    }
    input.truncate(largest);
}

fn change(input: &mut Vec<u8>, other: &[u8], words: &[&[u8]], random: &mut Random) {
    let at = random.below(input.len() + 1);
    let rest = input.len() - at;
    match random.below(13) {
        0 => with(input, at, |byte| *byte ^= 1 << (random.next() & 7)),
        1 => with(input, at, |byte| *byte = random.byte()),
        2 => with(input, at, |byte| *byte = byte.wrapping_add(random.byte() & 31).wrapping_sub(16)),
        3 => {
            // A number of one to four bytes, in either order.
            let number = NUMBERS.get(random.below(NUMBERS.len())).copied().unwrap_or(0);
            let width = [1, 2, 4].get(random.below(3)).copied().unwrap_or(4);
            let mut bytes = number.to_le_bytes();
            let bytes = bytes.get_mut(..width).unwrap_or_default();
            if random.below(4) == 0 {
                bytes.reverse();
            }
            overwrite(input, at, bytes);
        }
        4 => {
            // A number that is a little more or less than it was.
            let change = (random.byte() & 31).wrapping_sub(16).cast_signed();
            if let Some(bytes) = input.get_mut(at..).and_then(|tail| tail.first_chunk_mut::<4>()) {
                *bytes = u32::from_le_bytes(*bytes).wrapping_add_signed(change.into()).to_le_bytes();
            }
        }
        5 => {
            let length = random.length(rest);
            input.drain(at..at + length);
        }
        6 => {
            let length = random.length(64);
            let byte = random.byte();
            let bytes: Vec<u8> = if random.below(2) == 0 {
                vec![byte; length]
            } else {
                (0..length).map(|_| random.byte()).collect()
            };
            input.splice(at..at, bytes);
        }
        7 | 8 => {
            let word = words.get(random.below(words.len())).copied().unwrap_or_default();
            if random.below(2) == 0 {
                input.splice(at..at, word.iter().copied());
            } else {
                overwrite(input, at, word);
            }
        }
        9 => {
            // Again, once or many times.
            let length = random.length(rest);
            let times = if random.below(8) == 0 { random.below(64) } else { 1 };
            let part = input.get(at..at + length).unwrap_or_default().repeat(times);
            let to = random.below(input.len() + 1);
            input.splice(to..to, part);
        }
        10 => {
            let length = random.length(rest);
            let part = input.get(at..at + length).unwrap_or_default().to_vec();
            let to = random.below(input.len() + 1);
            overwrite(input, to, &part);
        }
        11 => {
            // A part of another input, in place of as much or beside it.
            let from = random.below(other.len() + 1);
            let length = random.length(other.len() - from);
            let part = other.get(from..from + length).unwrap_or_default();
            if random.below(2) == 0 {
                overwrite(input, at, part)
            } else {
                drop(input.splice(at..at, part.iter().copied()))
            }
        }
        _ => {
            // This one's beginning and the other's end.
            let from = if random.below(2) == 0 { at.min(other.len()) } else { random.below(other.len() + 1) };
            input.truncate(at);
            input.extend(other.get(from..).unwrap_or_default());
        }
    }
}

fn with(input: &mut [u8], at: usize, change: impl FnOnce(&mut u8)) {
    if let Some(byte) = input.get_mut(at) {
        change(byte);
    }
}

fn overwrite(input: &mut [u8], at: usize, bytes: &[u8]) {
    for (to, from) in input.iter_mut().skip(at).zip(bytes) {
        *to = *from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_changed_the_same_by_the_same_seed_and_stay_within_their_bound() {
        let changed = |seed| {
            let mut random = Random::new(seed);
            let mut input = b"an input".repeat(4);
            let inputs = (0..1000).map(|_| {
                mutate(&mut input, b"another one", &[b"word"], 100, &mut random);
                assert!(input.len() <= 100);
                input.clone()
            });
            inputs.collect::<Vec<_>>()
        };
        assert!(changed(1) == changed(1) && changed(1) != changed(2));
        let inputs = changed(3);
        assert!(inputs.iter().any(|input| input.windows(4).any(|part| part == b"word")));
        assert!(inputs.iter().any(|input| input.windows(4).any(|part| part == b"othe")));
    }

    #[test]
    fn nothing_can_be_changed_too() {
        let mut random = Random::new(1);
        for _ in 0..1000 {
            mutate(&mut Vec::new(), b"", &[], 10, &mut random);
        }
    }
}
