//! Refusals: each way in which recipe, profile and payload can disagree, with its remedy.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;

use qfe_patcher::image::NotAnImage;
use qfe_patcher::name::{Role, Variant};
use qfe_patcher::platform::{Machine, Platform};
use qfe_patcher::target_path::{TargetPath, UnsafePath};
use qfe_patcher::version::FileVersion;

use crate::file_key::FileKey;
use crate::profile::PlaceError;
use crate::sources::SourceError;

/// One of them. Every message names the thing, what was found and what was wanted.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// A payload or baseline cannot be read.
    #[error("{}", qfe_patcher::chain::line(.0))]
    Source(SourceError),
    /// The recipe is for another product.
    #[error("product is {found:?} in the recipe, {wanted:?} in the profile")]
    Product {
        /// The recipe's.
        found: String,
        /// The profile's.
        wanted: String,
    },
    /// A value of the recipe makes no sense.
    #[error("{key} is {found}, wanted is {wanted}")]
    Value {
        /// The key in the recipe.
        key: String,
        /// Its value.
        found: String,
        /// What it may be.
        wanted: &'static str,
    },
    /// The recipe names no payload at all.
    #[error("{key} names no platform, wanted is i386, alpha or both")]
    NoPayload {
        /// The key in the recipe.
        key: String,
    },
    /// A payload holds no file at all.
    #[error("{tree} holds no file, wanted is at least one")]
    EmptyPayload {
        /// The payload.
        tree: String,
    },
    /// A baseline for a platform that has no payload.
    #[error("baseline {baseline:?} has files for {platform}, {payload} has none")]
    BaselineWithoutPayload {
        /// The baseline.
        baseline: String,
        /// The payload's key in the recipe.
        payload: String,
        /// The platform.
        platform: Platform,
    },
    /// A file of the payload whose name no bundle can carry.
    #[error("{tree} holds a file that no bundle can carry: {source}", source = .reason)]
    Name {
        /// The payload.
        tree: String,
        /// Why.
        reason: UnsafePath,
    },
    /// A file of the payload that the recipe does not list.
    #[error("{file} is in the payload, and no [[file]] of the recipe lists it for {}", .key.platform)]
    Unlisted {
        /// Where the file is.
        file: String,
        /// Which it is.
        key: FileKey,
    },
    /// A listed file that no payload holds.
    #[error("{name} is listed, and the payload for {platform}, {tree}, lacks it")]
    NotInPayload {
        /// The file.
        name: TargetPath,
        /// The platform.
        platform: Platform,
        /// The payload.
        tree: String,
    },
    /// A file that one platform has and the other lacks.
    #[error("{name} is in the payload for {twin}, and the one for {platform}, {tree}, lacks it")]
    MissingTwin {
        /// The file.
        name: TargetPath,
        /// The platform that lacks it.
        platform: Platform,
        /// The payload that lacks it.
        tree: String,
        /// The platform that has it.
        twin: Platform,
    },
    /// A file that one variant has and another lacks.
    #[error("{name} is in variant {twin} for {platform}, and variant {variant} lacks it")]
    MissingInVariant {
        /// The file.
        name: TargetPath,
        /// The platform.
        platform: Platform,
        /// The variant that lacks it.
        variant: Variant,
        /// The variant that has it.
        twin: Variant,
    },
    /// Two rules for one file.
    #[error("{name} is listed twice for {platform}, wanted is once")]
    ListedTwice {
        /// The file.
        name: TargetPath,
        /// The platform.
        platform: Platform,
    },
    /// A rule for a platform without payload.
    #[error("{name} is listed for {platform}, for which [payload] has no files")]
    PlatformWithoutPayload {
        /// The file.
        name: TargetPath,
        /// The platform.
        platform: Platform,
    },
    /// An image for another processor.
    #[error("{file} is for {found}, files in this place must be for {wanted}")]
    Machine {
        /// Where the file is.
        file: String,
        /// Which it is.
        key: FileKey,
        /// What it is for.
        found: Machine,
        /// What it must be for.
        wanted: Machine,
    },
    /// An image of another version.
    #[error("{file} has version {found}, the recipe says {wanted}")]
    Version {
        /// Where the file is.
        file: String,
        /// Which it is.
        key: FileKey,
        /// Its version.
        found: FileVersion,
        /// The recipe's.
        wanted: FileVersion,
    },
    /// The recipe names a version, and the file is no image.
    #[error("{file} is no PE image ({reason}), the recipe says that it has version {wanted}")]
    NotAnImage {
        /// Where the file is.
        file: String,
        /// Which it is.
        key: FileKey,
        /// Why it is none.
        reason: NotAnImage,
        /// The recipe's version.
        wanted: FileVersion,
    },
    /// The recipe names a version, and the image states none.
    #[error("{file} has no version resource, the recipe says that it has version {wanted}")]
    NoVersion {
        /// Where the file is.
        file: String,
        /// Which it is.
        key: FileKey,
        /// The recipe's version.
        wanted: FileVersion,
    },
    /// A role that the profile does not define.
    #[error("{name} goes to role {found}, the profile defines {known}")]
    UnknownRole {
        /// The file.
        name: TargetPath,
        /// The role.
        found: Role,
        /// The profile's roles.
        known: String,
    },
    /// A role named twice, or none.
    #[error("{name} goes to {found}, wanted is each role once, and at least one")]
    Roles {
        /// The file.
        name: TargetPath,
        /// What the recipe says.
        found: String,
    },
    /// A destination that is no safe path.
    #[error("{name} goes to {to:?}, which leads to no safe path: {reason}")]
    Destination {
        /// The file.
        name: TargetPath,
        /// Where it goes.
        to: String,
        /// Why that is refused.
        reason: PlaceError,
    },
    /// Two files with one destination.
    #[error("{first} and {second} both go to {to} in role {role}")]
    SameDestination {
        /// The one.
        first: String,
        /// The other.
        second: String,
        /// Where both go.
        to: TargetPath,
        /// The role.
        role: Role,
    },
}

impl Refusal {
    /// Returns what the release engineer can do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Source(error) => error.remedy(),
            Self::Product { .. } => {
                "correct product, or name the product's profile by: profile = \"FILE.toml\""
            }
            Self::Value { .. } => "correct the recipe",
            Self::NoPayload { .. } | Self::EmptyPayload { .. } => {
                "name folders that hold the new files under [payload]"
            }
            Self::BaselineWithoutPayload { .. } | Self::PlatformWithoutPayload { .. } => {
                "add the platform to [payload], or take it out there"
            }
            Self::Name { .. } => "rename the file, or take it out of the payload",
            Self::Unlisted { .. } => "list it as a [[file]], or take it out of the payload",
            Self::NotInPayload { .. } => {
                "add the file to the payload, or take its [[file]] out of the recipe"
            }
            Self::MissingTwin { .. } => {
                "add the file, or list it as a [[file]] with platforms = [\"...\"] if it exists for one platform only"
            }
            Self::MissingInVariant { .. } => {
                "add the file, or move it to [payload] if it is the same in all variants"
            }
            Self::ListedTwice { .. } => "make one [[file]] of the two, or give each its own platforms",
            Self::Machine { .. } => {
                "put each platform's files under its own name in [payload] and [[baseline]]"
            }
            Self::Version { .. } | Self::NotAnImage { .. } | Self::NoVersion { .. } => {
                "correct or leave out the version in the recipe, or put the right file into the payload"
            }
            Self::UnknownRole { .. } | Self::Roles { .. } => "correct roles, or leave it out for all roles",
            Self::Destination { .. } => {
                "name a folder below the target, such as Bin/{platform}, or . for the target"
            }
            Self::SameDestination { .. } => "give one of the two another to or other roles",
        }
    }
}

/// All refusals about one recipe; there is at least one.
///
/// As an error it says how many there are; its causes are the refusals, one after the other.
#[derive(Debug)]
pub struct Refusals {
    recipe: String,
    count: usize,
    first: Link,
}

/// A refusal as the cause of the one before.
#[derive(Debug)]
struct Link {
    refusal: Refusal,
    next: Option<Box<Link>>,
}

impl Refusals {
    /// Chains the refusals about a recipe; none if there are none.
    pub fn of(recipe: impl fmt::Display, refusals: Vec<Refusal>) -> Option<Self> {
        let count = refusals.len();
        let chained =
            refusals.into_iter().rev().fold(None, |next, refusal| Some(Box::new(Link { refusal, next })));
        chained.map(|first| Self { recipe: recipe.to_string(), count, first: *first })
    }

    /// Returns the refusals in the order in which they were made.
    pub fn iter(&self) -> impl Iterator<Item = &Refusal> {
        std::iter::successors(Some(&self.first), |link| link.next.as_deref()).map(|link| &link.refusal)
    }

    /// Returns the different remedies.
    pub fn remedies(&self) -> BTreeSet<&'static str> {
        self.iter().map(Refusal::remedy).collect()
    }
}

impl fmt::Display for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { recipe, count, .. } = self;
        match count {
            1 => write!(f, "{recipe}: recipe and payload do not agree"),
            _ => write!(f, "{recipe}: recipe and payload do not agree in {count} points"),
        }
    }
}

impl Error for Refusals {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.first)
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.refusal.fmt(f)
    }
}

impl Error for Link {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.next.as_deref().map(|link| link as _)
    }
}
