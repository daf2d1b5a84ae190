//! Our own codecs, one run of one of them in a process: what the builder's library encodes, the patcher's decodes.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use qfe_builder::delta::{Choice, Pair, encode_all};
use qfe_builder::progress::Silent;
use qfe_patcher::delta::Codec;

use super::coders::{DECODE, ENCODE};

/// Returns the names of our codecs.
pub(super) fn names() -> Vec<&'static str> {
    Codec::ALL.into_iter().map(Codec::name).collect()
}

/// Does what `ENCODE codec old new patch` or `DECODE codec old patch new` say, if the arguments are one of these.
pub(super) fn serve(arguments: &[OsString]) -> bool {
    let [what, codec, old, from, to] = arguments else { return false };
    if what != ENCODE && what != DECODE {
        return false;
    }
    let codec = Codec::ALL.into_iter().find(|known| known.name() == codec).expect("one of our codecs");
    let (old, from) = (read(old), read(from));
    let made = if what == ENCODE {
        encode(codec, &old, &from)
    } else {
        codec.decode(old, &from, u64::MAX).expect("it decodes")
    };
    fs::write(to, made).expect("a file can be written");
    true
}

fn encode(codec: Codec, old: &[u8], new: &[u8]) -> Vec<u8> {
    let pair = Pair { name: "new", old, new };
    let encoded = encode_all(Choice::Only(codec), &[pair], 1, &Silent).pop();
    encoded.expect("one of one").expect("it encodes").expect("it was chosen").bytes
}

fn read(path: &OsString) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", Path::new(path).display()))
}
