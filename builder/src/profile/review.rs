//! What reviewers of an update for the product know: the part of a profile that [`crate::lint`] looks at, and that
//! goes into no bundle.

use serde::Deserialize;

use qfe_patcher::name::Role;
use qfe_patcher::platform::Platform;
use qfe_patcher::target_path::TargetPath;

use crate::written::ours;

/// The `[review]` of a profile.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Review {
    /// Languages in which the product exists, as Windows numbers them; none: any.
    #[serde(default)]
    pub languages: Vec<u16>,
    /// Files that are not enough by themselves.
    #[serde(default)]
    pub companions: Vec<Companions>,
}

/// Files that the product checks, with what must come along.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Companions {
    /// Where that is written.
    pub source: String,
    /// Why they are not enough, in one sentence.
    pub reason: String,
    /// Names of the files.
    #[serde(deserialize_with = "ours")]
    pub files: Vec<TargetPath>,
    /// Platforms on which they are checked; none: all.
    #[serde(default, deserialize_with = "ours")]
    pub platforms: Option<Vec<Platform>>,
    /// Files that must be in the update as well.
    #[serde(default, deserialize_with = "ours")]
    pub needs: Vec<TargetPath>,
    /// The role that `folders` is about.
    #[serde(deserialize_with = "ours")]
    pub role: Role,
    /// Folders of a target, in or below each of which the file must go; `{platform}` stands for the platform's folder name.
    #[serde(default)]
    pub folders: Vec<String>,
}

impl Companions {
    /// Tells whether a file of a platform is one of those.
    pub fn is_about(&self, platform: Platform, name: &str) -> bool {
        self.platforms.as_ref().is_none_or(|platforms| platforms.contains(&platform))
            && self.files.iter().any(|file| file.as_str().eq_ignore_ascii_case(name))
    }
}
