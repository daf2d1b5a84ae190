//! The receipt: what is installed, in one file that people and other programs can read.
//!
//! Made from the journals of the committed runs, so it can be lost and made again. A remote role's
//! apply takes a site server's receipt as proof of the order of updates.

use super::journal::{Begin, StepRecord};
use crate::bundle::keyring::Edition;
use crate::day::Day;
use crate::digest::Digest;
use crate::json::object_json;
use crate::name::{Role, UpdateId};
use crate::platform::Platform;

/// The version of the receipt's format.
pub const FORMAT: u32 = 1;
/// Largest receipt that is read.
pub const MAX_RECEIPT: u64 = 16 << 20;

/// What is installed in a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Version of the receipt's format: 1.
    pub format: u32,
    /// The update.
    pub id: UpdateId,
    /// Its revision.
    pub revision: u32,
    /// Its title.
    pub title: String,
    /// The product.
    pub product: String,
    /// The part the target plays.
    pub role: Role,
    /// The platform.
    pub platform: Platform,
    /// When it was installed, UTC.
    pub installed_at: String,
    /// Digest of the signed manifest.
    pub manifest_sha256: Digest,
    /// Keys whose signatures were believed.
    pub signers: Vec<String>,
    /// The build, if the user stated it.
    pub assumed_build: Option<u16>,
    /// The key ring by which the bundle was believed; none: it had no version.
    pub ring: Option<Edition>,
    /// The latest day that was known.
    pub seen: Option<Day>,
    /// The revision below which it went, as the user said.
    pub downgrade: Option<u32>,
    /// The files, old and new.
    pub files: Vec<StepRecord>,
}

object_json!(Receipt {
    format,
    id,
    revision,
    title,
    product,
    role,
    platform,
    installed_at,
    manifest_sha256,
    signers,
    assumed_build,
    ring or default,
    seen or default,
    downgrade or default,
    files
});

impl Receipt {
    /// Makes the receipt by the newest committed run and the files of all of them.
    pub fn of(begin: &Begin, installed_at: &str, files: Vec<StepRecord>) -> Self {
        Self {
            format: FORMAT,
            id: begin.id.clone(),
            revision: begin.revision,
            title: begin.title.clone(),
            product: begin.product.clone(),
            role: begin.role.clone(),
            platform: begin.platform,
            installed_at: installed_at.to_owned(),
            manifest_sha256: begin.manifest,
            signers: begin.signers.clone(),
            assumed_build: begin.assumed_build,
            ring: begin.ring.clone(),
            seen: begin.seen,
            downgrade: begin.downgrade,
            files,
        }
    }
}
