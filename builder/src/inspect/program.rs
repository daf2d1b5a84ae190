//! What stands before the zip of a self-extracting bundle: a program, and the key ring that it would believe. Nothing signs either.

use std::fmt;
use std::io::{Read, SeekFrom};

use qfe_patcher::bundle::container::program::Program;
use qfe_patcher::bundle::container::{ContainerError, Source};
use qfe_patcher::bundle::keyring::{Key, KeyRing};
use qfe_patcher::chain;
use qfe_patcher::digest::Digest;
use qfe_patcher::json::{Json, ToJson, object, object_to_json};

/// The program before a bundle.
#[derive(Clone, Debug)]
pub struct ProgramPart {
    /// Its size in bytes, without the key ring.
    pub size: u64,
    /// Its digest, by which it is held against the patcher that was given away.
    pub sha256: Digest,
    /// The key ring that it carries; none: it asks for one.
    pub ring: Option<RingPart>,
}

object_to_json!(ProgramPart { size, sha256, ring });

/// A key ring in a program.
#[derive(Clone, Debug)]
pub enum RingPart {
    /// One that can be read.
    Ring(Box<KeyRing>),
    /// One that cannot, and why.
    Broken(String),
}

impl ToJson for RingPart {
    fn to_json(&self) -> Json {
        match self {
            Self::Ring(ring) => {
                let key = |key: &Key| object!({ "id": key.id, "name": key.name, "revoked": key.revoked });
                object!({ "key_ring": ring.edition(), "keys": Json::list(ring.keys().iter().map(key)) })
            }
            Self::Broken(error) => object!({ "error": error }),
        }
    }
}

impl ProgramPart {
    /// Reads the program with which a file begins.
    pub fn read(source: &mut dyn Source) -> Result<Self, ContainerError> {
        let Program { size, ring } = Program::read(source)?;
        source.seek(SeekFrom::Start(0)).map_err(ContainerError::Read)?;
        let mut bytes = Vec::new();
        source.take(size).read_to_end(&mut bytes).map_err(ContainerError::Read)?;
        let ring = ring.map(|text| match String::from_utf8(text) {
            Ok(text) => match KeyRing::new([], Some(&text)) {
                Ok(ring) => RingPart::Ring(Box::new(ring)),
                Err(error) => RingPart::Broken(chain::line(&error)),
            },
            Err(error) => RingPart::Broken(error.to_string()),
        });
        Ok(Self { size, sha256: Digest::of(&bytes), ring })
    }
}

impl fmt::Display for ProgramPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { size, sha256, ring } = self;
        writeln!(f, "program:     {size} bytes, SHA-256 {sha256}; nothing signs it")?;
        match ring {
            None => writeln!(f, "             without a key ring: it asks for --keys"),
            Some(RingPart::Broken(error)) => {
                writeln!(f, "             with a key ring that cannot be read: {error}")
            }
            Some(RingPart::Ring(ring)) => {
                let keys = super::list(ring.keys().iter().map(|key| ring.name_of(key.id)), "no key");
                writeln!(f, "             without --keys it believes {}: {keys}", ring.shown())
            }
        }
    }
}
