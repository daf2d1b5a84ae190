//! The receipt: what is installed, in one file that people and other programs can read.
//!
//! Made from the journal of the newest committed run, so it can be lost and made again. A remote role's
//! apply takes a site server's receipt as proof of the order of updates.

use serde::{Deserialize, Serialize};

use super::journal::{Begin, StepRecord};

/// The version of the receipt's format.
pub const FORMAT: u32 = 1;

/// What is installed in a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Version of the receipt's format: 1.
    pub format: u32,
    /// The update.
    pub id: String,
    /// Its revision.
    pub revision: u32,
    /// Its title.
    pub title: String,
    /// The product.
    pub product: String,
    /// The part the target plays.
    pub role: String,
    /// The platform.
    pub platform: String,
    /// When it was installed, UTC.
    pub installed_at: String,
    /// Digest of the signed manifest.
    pub manifest_sha256: String,
    /// Keys whose signatures were believed.
    pub signers: Vec<String>,
    /// The build, if the user stated it.
    pub assumed_build: Option<u16>,
    /// The files, old and new.
    pub files: Vec<StepRecord>,
}

impl Receipt {
    /// Makes the receipt of a committed run.
    pub fn of(begin: &Begin, installed_at: &str) -> Self {
        Self {
            format: FORMAT,
            id: begin.id.to_string(),
            revision: begin.revision,
            title: begin.title.clone(),
            product: begin.product.clone(),
            role: begin.role.to_string(),
            platform: begin.platform.to_string(),
            installed_at: installed_at.to_owned(),
            manifest_sha256: begin.manifest.to_string(),
            signers: begin.signers.clone(),
            assumed_build: begin.assumed_build,
            files: begin.steps.clone(),
        }
    }
}
