//! Changes of inputs.

use qfe_payloads::Prng;

/// Numbers at which readers change their mind.
const NUMBERS: [u32; 16] =
    [0, 1, 2, 4, 8, 16, 64, 127, 128, 255, 256, 4096, 0x7fff, 0xffff, 0x7fff_ffff, 0xffff_ffff];

/// Changes an input, in one place or several; `other` is another input, `words` are what readers look for.
pub(crate) fn mutate(input: &mut Vec<u8>, other: &[u8], words: &[&[u8]], largest: usize, random: &mut Prng) {
    for _ in 0..1 << random.index(5) {
        change(input, other, words, random);
    }
    input.truncate(largest);
}

fn change(input: &mut Vec<u8>, other: &[u8], words: &[&[u8]], random: &mut Prng) {
    let at = random.index(input.len() + 1);
    let rest = input.len() - at;
    match random.index(13) {
        0 => with(input, at, |byte| *byte ^= 1 << random.index(8)),
        1 => with(input, at, |byte| *byte = draw_byte(random)),
        2 => with(input, at, |byte| *byte = byte.wrapping_add(draw_byte(random) & 31).wrapping_sub(16)),
        3 => {
            // A number of one to four bytes, in either order.
            let number = random.pick(&NUMBERS);
            let width = random.pick(&[1, 2, 4]);
            let mut bytes = number.to_le_bytes();
            let bytes = bytes.get_mut(..width).unwrap_or_default();
            if random.index(4) == 0 {
                bytes.reverse();
            }
            overwrite(input, at, bytes);
        }
        4 => {
            // A number that is a little more or less than it was.
            let change = (draw_byte(random) & 31).wrapping_sub(16).cast_signed();
            if let Some(bytes) = input.get_mut(at..).and_then(|tail| tail.first_chunk_mut::<4>()) {
                *bytes = u32::from_le_bytes(*bytes).wrapping_add_signed(change.into()).to_le_bytes();
            }
        }
        5 => {
            let length = draw_length(random, rest);
            input.drain(at..at + length);
        }
        6 => {
            let length = draw_length(random, 64);
            let byte = draw_byte(random);
            let bytes: Vec<u8> = if random.index(2) == 0 {
                vec![byte; length]
            } else {
                (0..length).map(|_| draw_byte(random)).collect()
            };
            input.splice(at..at, bytes);
        }
        7 | 8 => {
            let word = words.get(random.index(words.len())).copied().unwrap_or_default();
            if random.index(2) == 0 {
                input.splice(at..at, word.iter().copied());
            } else {
                overwrite(input, at, word);
            }
        }
        9 => {
            // Again, once or many times.
            let length = draw_length(random, rest);
            let times = if random.index(8) == 0 { random.index(64) } else { 1 };
            let part = input.get(at..at + length).unwrap_or_default().repeat(times);
            let to = random.index(input.len() + 1);
            input.splice(to..to, part);
        }
        10 => {
            let length = draw_length(random, rest);
            let part = input.get(at..at + length).unwrap_or_default().to_vec();
            let to = random.index(input.len() + 1);
            overwrite(input, to, &part);
        }
        11 => {
            // A part of another input, in place of as much or beside it.
            let from = random.index(other.len() + 1);
            let length = draw_length(random, other.len() - from);
            let part = other.get(from..from + length).unwrap_or_default();
            if random.index(2) == 0 {
                overwrite(input, at, part)
            } else {
                drop(input.splice(at..at, part.iter().copied()))
            }
        }
        _ => {
            // This one's beginning and the other's end.
            let from = if random.index(2) == 0 { at.min(other.len()) } else { random.index(other.len() + 1) };
            input.truncate(at);
            input.extend(other.get(from..).unwrap_or_default());
        }
    }
}

/// Draws a byte.
fn draw_byte(random: &mut Prng) -> u8 {
    u8::try_from(random.below(256)).unwrap_or(0)
}

/// Draws a length up to `end`, more likely a short one.
fn draw_length(random: &mut Prng, end: usize) -> usize {
    let most = random.pick(&[4, 16, 64, end]).min(end);
    random.index(most + 1)
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
            let mut random = Prng::seeded(&[seed]);
            let mut input = b"an input".repeat(4);
            let inputs = (0..1000).map(|_| {
                mutate(&mut input, b"another one", &[b"word"], 100, &mut random);
                assert!(input.len() <= 100);
                input.clone()
            });
            inputs.collect::<Vec<_>>()
        };
        assert!(changed("1") == changed("1") && changed("1") != changed("2"));
        let inputs = changed("3");
        assert!(inputs.iter().any(|input| input.windows(4).any(|part| part == b"word")));
        assert!(inputs.iter().any(|input| input.windows(4).any(|part| part == b"othe")));
    }

    #[test]
    fn nothing_can_be_changed_too() {
        let mut random = Prng::seeded(&["1"]);
        for _ in 0..1000 {
            mutate(&mut Vec::new(), b"", &[], 10, &mut random);
        }
    }
}
