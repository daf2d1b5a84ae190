//! Bundles: opened, verified, and only then read.
//!
//! [`Bundle::open`] finds the members, [`Bundle::verify`] turns it into a [`VerifiedBundle`] by the signatures
//! over `manifest.json`, and that alone gives out payloads. Every member's bytes are held against the signed
//! digest in memory, and the same bytes are used: nothing is read twice from the disk or share.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use container::{Container, ContainerError, ContainerKind, Source};
use keyring::{Chain, ChainError, KeyRing, MAX_RING, RING_FOLDER, Signed, TrustError, Verified};
use manifest::{FileEntry, MANIFEST_NAME, MAX_MANIFEST, Manifest, ManifestError, MemberEntry};

use crate::chain::debug_as_shown;
use crate::day::Day;
use crate::delta::DeltaError;
use crate::digest::Digest;
use crate::target_path::TargetPath;

pub mod container;
pub mod keyring;
pub mod manifest;
pub mod product;

/// The folder of the signatures in a container.
pub const SIGNATURE_FOLDER: &str = "signatures/";
/// The ending of a signature's name.
pub const SIGNATURE_ENDING: &str = ".minisig";
/// Largest signature file that is read.
const MAX_SIGNATURE: u64 = 4096;
/// Most signatures of a manifest, and of each key ring, that a bundle may carry.
const MAX_SIGNATURES: usize = 64;

/// Why a bundle is refused.
#[derive(thiserror::Error)]
pub enum BundleError {
    /// The container cannot be read.
    #[error(transparent)]
    Container(#[from] ContainerError),
    /// The key rings that it carries are not followed.
    #[error("the bundle's key rings are refused")]
    Chain(#[from] ChainError),
    /// The manifest is not believed, or refused.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A signature file is no text.
    #[error("signature {name} is no text")]
    SignatureText {
        /// Its name.
        name: TargetPath,
    },
    /// More signatures than any bundle has.
    #[error("the bundle carries {found} signatures, at most {MAX_SIGNATURES} are read")]
    TooManySignatures {
        /// How many there are.
        found: usize,
    },
    /// A member that the manifest does not list.
    #[error("member {name} is not listed in the manifest")]
    Unlisted {
        /// Its name.
        name: TargetPath,
    },
    /// A member's bytes are not what the manifest says.
    #[error("member {name}: {what} is {found}, the manifest says {wanted}")]
    Differs {
        /// Its name.
        name: TargetPath,
        /// Size or digest.
        what: &'static str,
        /// What it is.
        found: String,
        /// What the manifest says.
        wanted: String,
    },
    /// A delta does not decode.
    #[error("delta {name} does not decode")]
    Delta {
        /// Its name.
        name: TargetPath,
        /// Why.
        source: DeltaError,
    },
    /// A delta decodes to another file.
    #[error("delta {name} makes a file with digest {found}, the manifest says {wanted}")]
    WrongResult {
        /// Its name.
        name: TargetPath,
        /// Digest of what it makes.
        found: Digest,
        /// Digest of the payload.
        wanted: Digest,
    },
    /// A lean bundle that has no delta from this old file.
    #[error("the bundle holds no whole {name} and no delta from the old file {old}")]
    NoWay {
        /// The file.
        name: TargetPath,
        /// The old file's digest, or "that is absent".
        old: String,
    },
}

debug_as_shown!(BundleError);

impl From<TrustError> for BundleError {
    fn from(error: TrustError) -> Self {
        Self::Manifest(ManifestError::Trust(error))
    }
}

/// An opened bundle of which nothing is believed.
#[derive(Debug)]
pub struct Bundle {
    container: Container,
    signed: Signed,
    chain: Chain,
}

impl Bundle {
    /// Opens a container and reads the manifest's bytes, the signatures and the key rings.
    pub fn open(source: impl Source + 'static) -> Result<Self, BundleError> {
        let mut container = Container::open(source)?;
        let names: Vec<TargetPath> =
            container.members().filter(|name| name.as_str().starts_with(SIGNATURE_FOLDER)).cloned().collect();
        if names.len() > MAX_SIGNATURES {
            return Err(BundleError::TooManySignatures { found: names.len() });
        }
        let mut signatures = BTreeMap::new();
        for name in names {
            if !name.as_str().ends_with(SIGNATURE_ENDING) {
                return Err(BundleError::Unlisted { name });
            }
            let text = String::from_utf8(container.read_early(&name, MAX_SIGNATURE)?);
            let text = text.map_err(|_| BundleError::SignatureText { name: name.clone() })?;
            signatures.insert(name.to_string(), text);
        }
        let mut chain = Chain::default();
        let names: Vec<TargetPath> =
            container.members().filter(|name| name.as_str().starts_with(RING_FOLDER)).cloned().collect();
        for name in names {
            let limit = if name.as_str().ends_with(SIGNATURE_ENDING) { MAX_SIGNATURE } else { MAX_RING };
            let bytes = container.read_early(&name, limit)?;
            chain.add(name.as_str().strip_prefix(RING_FOLDER).unwrap_or_default(), bytes)?;
        }
        let bytes = container.read_early(&manifest_name()?, MAX_MANIFEST)?;
        Ok(Self { container, signed: Signed { bytes, signatures }, chain })
    }

    /// Returns the kind of container.
    pub fn kind(&self) -> ContainerKind {
        self.container.kind()
    }

    /// Returns the manifest's bytes and the signatures, unbelieved.
    pub fn signed(&self) -> &Signed {
        &self.signed
    }

    /// Returns the key rings that it carries, unbelieved.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Returns the digest of the manifest, by which runs remember their bundle.
    pub fn manifest_digest(&self) -> Digest {
        Digest::of(&self.signed.bytes)
    }

    /// Parses the manifest without believing it: for showing a bundle, never for applying it.
    pub fn manifest_unverified(&self) -> Result<Manifest, ManifestError> {
        Manifest::parse(&self.signed.bytes)
    }

    /// Returns the container for a repack that changes no member.
    pub fn into_container(self) -> Container {
        self.container
    }

    /// Believes the manifest if enough keys signed it, by the day that the clock says, and holds the members' names against
    /// it. The keys are those of the newest ring to which the bundle's own lead from this one.
    pub fn verify(self, ring: KeyRing, clock: Day) -> Result<VerifiedBundle, BundleError> {
        let ring = ring.follow(&self.chain)?;
        let manifest = ring.verify(&self.signed, clock, Manifest::parse, |manifest| &manifest.product)?;
        let listed: BTreeSet<&TargetPath> =
            manifest.value().members.iter().map(|member| &member.name).collect();
        for name in self.container.members() {
            let known = name.as_str() == MANIFEST_NAME
                || self.signed.signatures.contains_key(name.as_str())
                || name.as_str().starts_with(RING_FOLDER)
                || listed.contains(name);
            if !known {
                return Err(BundleError::Unlisted { name: name.clone() });
            }
        }
        if let Some(missing) = listed.into_iter().find(|name| !self.container.contains(name)) {
            return Err(ContainerError::Missing { name: missing.clone() }.into());
        }
        Ok(VerifiedBundle { container: self.container, manifest })
    }
}

/// The manifest's name as a path; it is a valid one.
fn manifest_name() -> Result<TargetPath, ContainerError> {
    Ok(MANIFEST_NAME.parse::<TargetPath>()?)
}

/// A bundle whose manifest is believed. Gives out members whose bytes are what the manifest says.
#[derive(Debug)]
pub struct VerifiedBundle {
    container: Container,
    manifest: Verified<Manifest>,
}

/// How a payload was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    /// From the old file by a delta.
    ByDelta,
    /// From the whole payload.
    Whole,
}

impl VerifiedBundle {
    /// Returns the kind of container.
    pub fn kind(&self) -> ContainerKind {
        self.container.kind()
    }

    /// Returns the manifest.
    pub fn manifest(&self) -> &Rc<Manifest> {
        self.manifest.value()
    }

    /// Returns the manifest with its signers and digest.
    pub fn verified(&self) -> &Verified<Manifest> {
        &self.manifest
    }

    /// Reads a member and holds it against the manifest.
    pub fn read(&mut self, name: &TargetPath) -> Result<Vec<u8>, BundleError> {
        let missing = || ContainerError::Missing { name: name.clone() };
        let MemberEntry { size, sha256, .. } =
            self.manifest.value().member(name).ok_or_else(missing)?.clone();
        let bytes = self.container.read(name, size)?;
        let differs = |what, found: String, wanted: String| {
            Err(BundleError::Differs { name: name.clone(), what, found, wanted })
        };
        if bytes.len() as u64 != size {
            return differs("size", bytes.len().to_string(), size.to_string());
        }
        let found = Digest::of(&bytes);
        if found != sha256 {
            return differs("digest", found.to_string(), sha256.to_string());
        }
        Ok(bytes)
    }

    /// Reads every member and holds it against the manifest.
    pub fn check_members(&mut self) -> Result<(), BundleError> {
        let names: Vec<TargetPath> =
            self.manifest().members.iter().map(|member| member.name.clone()).collect();
        names.iter().try_for_each(|name| self.read(name).map(drop))
    }

    /// Makes a new file: the whole payload where the bundle holds it, for reading that takes a twentieth of the time
    /// that decoding takes; otherwise by the delta from `old` (its digest and bytes).
    pub fn make(
        &mut self,
        file: &FileEntry,
        old: Option<(Digest, Vec<u8>)>,
    ) -> Result<(Vec<u8>, Made), BundleError> {
        if let Some(member) = &file.member {
            return Ok((self.read(member)?, Made::Whole));
        }
        let digest = old.as_ref().map(|(digest, _)| *digest);
        let delta = digest.and_then(|digest| self.manifest().delta(file, digest)).cloned();
        match (delta, old) {
            (Some(delta), Some((_, old))) => Ok((self.decode(&delta, file, old)?, Made::ByDelta)),
            _ => Err(BundleError::NoWay {
                name: file.name.clone(),
                old: digest.map_or_else(|| "that is absent".to_owned(), |digest| digest.to_string()),
            }),
        }
    }

    /// Decodes a delta and holds the result against the manifest.
    pub fn decode(
        &mut self,
        delta: &manifest::DeltaEntry,
        file: &FileEntry,
        old: Vec<u8>,
    ) -> Result<Vec<u8>, BundleError> {
        let bytes = self.read(&delta.member)?;
        let new = delta
            .codec
            .decode(old, &bytes, file.size)
            .map_err(|source| BundleError::Delta { name: delta.member.clone(), source })?;
        let found = Digest::of(&new);
        if found == file.sha256 {
            Ok(new)
        } else {
            Err(BundleError::WrongResult { name: delta.member.clone(), found, wanted: file.sha256 })
        }
    }
}
