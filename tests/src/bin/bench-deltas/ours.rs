//! Our own codecs, one run of one of them in a process: what the builder's library encodes, the patcher's decodes.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use qfe_builder::delta::{Choice, Pair, encode_all, exe};
use qfe_builder::progress::Silent;
use qfe_patcher::delta::Codec;

use super::coders::{DECODE, ENCODE};

/// The codec of executables, which may be no codec of the programs yet.
const EXE: &str = "exe";

/// Returns the names of our codecs.
pub(super) fn names() -> Vec<&'static str> {
    let mut names: Vec<&str> = Codec::ALL.into_iter().map(Codec::name).collect();
    if !names.contains(&EXE) {
        names.push(EXE);
    }
    names
}

/// Does what `ENCODE codec old new patch` or `DECODE codec old patch new` say, if the arguments are one of these.
pub(super) fn serve(arguments: &[OsString]) -> bool {
    let [what, codec, old, from, to] = arguments else { return false };
    if what != ENCODE && what != DECODE {
        return false;
    }
    let codec = Codec::ALL.into_iter().find(|known| known.name() == codec);
    let (old, from) = (read(old), read(from));
    let made = if what == ENCODE { encode(codec, &old, &from) } else { decode(codec, old, &from) };
    fs::write(to, made).expect("a file can be written");
    true
}

fn encode(codec: Option<Codec>, old: &[u8], new: &[u8]) -> Vec<u8> {
    let Some(codec) = codec else { return exe::encode(old, new).expect("it encodes") };
    let pair = Pair { name: "new", old, new };
    let encoded = encode_all(Choice::Only(codec), &[pair], 1, &Silent).pop();
    encoded.expect("one of one").expect("it encodes").expect("it was chosen").bytes
}

fn decode(codec: Option<Codec>, old: Vec<u8>, delta: &[u8]) -> Vec<u8> {
    match codec {
        Some(codec) => codec.decode(&old, delta, u64::MAX).expect("it decodes"),
        None => qfe_delta::decode(old, delta, u64::MAX).expect("it decodes"),
    }
}

fn read(path: &OsString) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", Path::new(path).display()))
}
