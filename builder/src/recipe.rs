//! The recipe: what the release engineer writes about an update (`update.toml`).
//!
//! A recipe that exists has the form of one: known keys, safe names, versions of four numbers. Whether it agrees
//! with its profile and its payload is found out later, all at once, by [`crate::build::survey`].

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

use qfe_patcher::bundle::product::Moment;
use qfe_patcher::name::{Role, UpdateId, Variant};
use qfe_patcher::platform::Platform;
use qfe_patcher::target_path::TargetPath;
use qfe_patcher::version::FileVersion;

use crate::written::ours;

pub mod rollup;

/// Longest title, in characters.
pub const MAX_TITLE: usize = 200;
/// Longest step by hand, in characters.
pub const MAX_STEP: usize = 500;

/// A recipe.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The number of the update.
    #[serde(deserialize_with = "ours")]
    pub id: UpdateId,
    /// One line that says what it fixes.
    pub title: String,
    /// Raised when the same number is issued again.
    #[serde(default = "first_revision")]
    pub revision: u32,
    /// The product, as its vendor writes it; held against the profile's.
    pub product: String,
    /// Build lines it is for; empty: any.
    #[serde(default)]
    pub builds: Vec<u16>,
    /// Updates that must be installed before.
    #[serde(default, deserialize_with = "ours")]
    pub requires: Vec<UpdateId>,
    /// Updates whose place it takes.
    #[serde(default, deserialize_with = "ours")]
    pub supersedes: Vec<UpdateId>,
    /// The product profile, relative to the recipe; none: the built-in one.
    pub profile: Option<PathBuf>,
    /// The recipes of updates that it takes in, relative to this one, oldest first.
    #[serde(default)]
    pub updates: Vec<PathBuf>,
    /// Where the new files for every target are, relative to the recipe.
    #[serde(default)]
    pub payload: PerPlatform<Trees>,
    /// Known old states.
    #[serde(default, rename = "baseline")]
    pub baselines: Vec<Baseline>,
    /// The forms in which other files come, such as languages.
    #[serde(default, rename = "variant")]
    pub variants: Vec<VariantRule>,
    /// What is to be done by hand; shown to admins, never run.
    #[serde(default, rename = "step")]
    pub steps: Vec<Step>,
    /// The files; none: every file of the payload, for all roles.
    #[serde(default, rename = "file")]
    pub files: Vec<FileRule>,
    /// What the bundle's article says besides.
    #[serde(default)]
    pub article: Prose,
}

impl Recipe {
    /// Returns where its files are, new ones and old ones, each a path relative to the recipe.
    pub fn places(&self) -> impl Iterator<Item = &PathBuf> {
        let variants = self.variants.iter();
        let payloads = variants.clone().map(|variant| &variant.payload).chain([&self.payload]);
        let baselines = variants.flat_map(|variant| &variant.baselines).chain(&self.baselines);
        let trees = payloads.chain(baselines.map(|baseline| &baseline.trees));
        trees.flat_map(|tree| [&tree.i386, &tree.alpha]).flatten().flatten()
    }
}

/// What an article says in words; paragraphs have an empty line between them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prose {
    /// What users notice that do not have the update.
    pub symptoms: Option<String>,
    /// Why it happens.
    pub cause: Option<String>,
    /// Whatever else is to be known.
    pub text: Option<String>,
}

/// A form in which some files come, of which a target has one.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VariantRule {
    /// Its name.
    #[serde(deserialize_with = "ours")]
    pub name: Variant,
    /// What it is, for people; none: its name.
    pub title: Option<String>,
    /// The Windows language ids of its files, by which the patcher knows a target's.
    #[serde(default)]
    pub languages: Vec<u16>,
    /// Where its new files are, relative to the recipe.
    pub payload: PerPlatform<Trees>,
    /// Known old states of its files.
    #[serde(default, rename = "baseline")]
    pub baselines: Vec<Baseline>,
}

/// Something to be done by hand.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Before the files are replaced, or after.
    #[serde(deserialize_with = "ours")]
    pub when: Moment,
    /// The roles it is for; none: all of the profile.
    #[serde(default, deserialize_with = "ours")]
    pub roles: Option<Vec<Role>>,
    /// What to do, in one line.
    pub text: String,
}

fn first_revision() -> u32 {
    1
}

/// Places of files: of a name that several have, the last one's file is meant.
pub type Trees = Vec<PathBuf>;

/// A value that may differ between platforms.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "T: Written"))]
pub struct PerPlatform<T> {
    /// The value for Intel.
    #[serde(default, deserialize_with = "Written::written")]
    pub i386: Option<T>,
    /// The value for Alpha.
    #[serde(default, deserialize_with = "Written::written")]
    pub alpha: Option<T>,
}

/// A value for a platform, as a recipe writes it.
pub trait Written: Sized {
    /// Reads it.
    fn written<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Self>, D::Error>;
}

impl Written for FileVersion {
    fn written<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Self>, D::Error> {
        ours(deserializer)
    }
}

impl Written for Trees {
    fn written<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Self>, D::Error> {
        one_or_more(deserializer)
    }
}

impl<T> Default for PerPlatform<T> {
    fn default() -> Self {
        Self { i386: None, alpha: None }
    }
}

impl<T> PerPlatform<T> {
    /// Makes another value of each.
    fn map<U>(self, of: impl Fn(T) -> U) -> PerPlatform<U> {
        PerPlatform { i386: self.i386.map(&of), alpha: self.alpha.map(&of) }
    }

    /// Tells whether there is a value for any platform.
    pub fn is_some(&self) -> bool {
        self.i386.is_some() || self.alpha.is_some()
    }

    /// Returns the value for a platform.
    pub fn on(&self, platform: Platform) -> Option<&T> {
        match platform {
            Platform::I386 => self.i386.as_ref(),
            Platform::Alpha => self.alpha.as_ref(),
        }
    }
}

/// A known old state of the files.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "WrittenBaseline")]
pub struct Baseline {
    /// Its name, for people.
    pub name: String,
    /// Where its files are, relative to the recipe.
    pub trees: PerPlatform<Trees>,
}

/// A baseline as it is written: the platforms stand beside the name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenBaseline {
    name: String,
    #[serde(default, deserialize_with = "one_or_more")]
    i386: Option<Trees>,
    #[serde(default, deserialize_with = "one_or_more")]
    alpha: Option<Trees>,
}

impl From<WrittenBaseline> for Baseline {
    fn from(WrittenBaseline { name, i386, alpha }: WrittenBaseline) -> Self {
        Self { name, trees: PerPlatform { i386, alpha } }
    }
}

/// What a recipe says about one file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileRule {
    /// Its name, spelled as the manifest shall spell it.
    #[serde(deserialize_with = "ours")]
    pub name: TargetPath,
    /// The version that its version resource must state.
    pub version: Option<VersionRule>,
    /// The version that it must state instead where it is of one of these variants.
    #[serde(default, deserialize_with = "by_variant")]
    pub versions: BTreeMap<Variant, VersionRule>,
    /// Platforms it exists for; none: those of the payload.
    #[serde(default, deserialize_with = "ours")]
    pub platforms: Option<Vec<Platform>>,
    /// Roles that get it; none: all of the profile.
    #[serde(default, deserialize_with = "ours")]
    pub roles: Option<Vec<Role>>,
    /// The folders below the target, each of which gets it; `{platform}` stands for the platform's folder name; none: the
    /// role's default.
    #[serde(default, deserialize_with = "one_or_more")]
    pub to: Option<Vec<String>>,
    /// Whether it is added where it is absent; none: the role's default.
    pub when: Option<When>,
    /// Whether it is a COM server, registered again around the swap.
    #[serde(default)]
    pub register: bool,
}

impl FileRule {
    /// Makes the rule for a file of which the recipe says nothing.
    pub fn of(name: TargetPath) -> Self {
        Self {
            name,
            version: None,
            versions: BTreeMap::new(),
            platforms: None,
            roles: None,
            to: None,
            when: None,
            register: false,
        }
    }

    /// Returns the version wanted of the file for a platform, of a variant if it comes in several.
    pub fn version_on(&self, platform: Platform, variant: Option<&Variant>) -> Option<FileVersion> {
        let own = variant.and_then(|variant| self.versions.get(variant));
        own.or(self.version.as_ref()).and_then(|version| version.on(platform))
    }

    /// Tells whether the rule holds for a platform.
    pub fn is_for(&self, platform: Platform) -> bool {
        self.platforms.as_ref().is_none_or(|platforms| platforms.contains(&platform))
    }
}

/// Takes a table whose keys are names of variants.
fn by_variant<'de, T, D>(deserializer: D) -> Result<BTreeMap<Variant, T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    let written = BTreeMap::<String, T>::deserialize(deserializer)?;
    let named = |(name, value): (String, T)| Ok((name.parse().map_err(D::Error::custom)?, value));
    written.into_iter().map(named).collect()
}

/// Takes a text or a list of them.
fn one_or_more<'de, T, D>(deserializer: D) -> Result<Option<Vec<T>>, D::Error>
where
    T: Deserialize<'de> + From<String>,
    D: Deserializer<'de>,
{
    struct Form<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de> + From<String>> Visitor<'de> for Form<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a folder such as \"Bin/{platform}\", or a list of them")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Vec<T>, E> {
            Ok(vec![text.to_owned().into()])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Vec<T>, A::Error> {
            Vec::deserialize(SeqAccessDeserializer::new(seq))
        }
    }
    deserializer.deserialize_any(Form(PhantomData)).map(Some)
}

/// Where a file is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum When {
    /// Only where the file is there already.
    Present,
    /// Also where it is absent.
    Always,
}

/// The version a file must have: one text for every platform, or a table of them.
#[derive(Clone, Debug)]
pub enum VersionRule {
    /// The same on every platform.
    Same(FileVersion),
    /// As the table says; nothing is wanted of a platform that it lacks.
    Each(PerPlatform<FileVersion>),
}

impl VersionRule {
    /// Returns the version wanted on a platform.
    pub fn on(&self, platform: Platform) -> Option<FileVersion> {
        match self {
            Self::Same(version) => Some(*version),
            Self::Each(versions) => versions.on(platform).copied(),
        }
    }
}

impl<'de> Deserialize<'de> for VersionRule {
    /// Takes a text or a table; an untagged enum would hide what is wrong inside either.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;
        impl<'de> Visitor<'de> for Form {
            type Value = VersionRule;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a version such as \"2.0.1380.1125\", or a table of them by platform")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<VersionRule, E> {
                text.parse().map(VersionRule::Same).map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<VersionRule, A::Error> {
                PerPlatform::deserialize(MapAccessDeserializer::new(map)).map(VersionRule::Each)
            }
        }
        deserializer.deserialize_any(Form)
    }
}

/// A text that has not the form of a recipe or profile.
#[derive(Debug, thiserror::Error)]
#[error("{path}, line {line}: {message}")]
pub struct FormError {
    path: String,
    line: usize,
    message: String,
}

impl FormError {
    /// Says where in `text`, the content of `path`, the reader of TOML stumbled.
    pub(crate) fn new(path: &Path, text: &str, error: &toml::de::Error) -> Self {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = 1 + before.bytes().filter(|byte| *byte == b'\n').count();
        // One line: `FromStr` messages of this workspace are, the TOML reader's need not be.
        let message = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
        Self { path: path.display().to_string(), line, message }
    }
}

impl Recipe {
    /// Reads a recipe; `path` is for messages.
    pub fn parse(path: &Path, text: &str) -> Result<Self, FormError> {
        toml::from_str(text).map_err(|error| FormError::new(path, text, &error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "id = 'Q1'\ntitle = 't'\nproduct = 'p'\n";

    fn parse(rest: &str) -> Result<Recipe, String> {
        Recipe::parse(Path::new("update.toml"), &format!("{HEAD}{rest}")).map_err(|error| error.to_string())
    }

    #[test]
    fn the_recipe_of_the_interface_is_taken() {
        let recipe = parse(
            "revision = 2\nbuilds = [1380]\nrequires = ['Q2']\n[payload]\ni386 = 'update/i386'\nalpha = 'u.zip/alpha'\n\
             [[baseline]]\nname = '1380.1000'\ni386 = 'b'\n\
             [[file]]\nname = 'Ccm.dll'\nversion = '2.00.1380.1125'\nroles = ['site-server']\nto = 'Bin/{platform}'\n\
             when = 'always'\nregister = true\n\
             [[file]]\nname = 'Q/X.dll'\nversion = { i386 = '1.2.3.4' }\nplatforms = ['i386']\n\
             versions = { german = '1.2.3.5', french = { alpha = '1.2.3.6' } }\n\
             [article]\nsymptoms = 'It fails.'\n",
        )
        .unwrap();
        assert_eq!((recipe.revision, recipe.builds.as_slice()), (2, [1380].as_slice()));
        let [ccm, other] = recipe.files.as_slice() else { panic!("{:?}", recipe.files) };
        assert_eq!(ccm.version.as_ref().unwrap().on(Platform::Alpha).unwrap().to_string(), "2.0.1380.1125");
        assert_eq!(ccm.to.as_deref(), Some(["Bin/{platform}".to_owned()].as_slice()));
        assert_eq!((ccm.when, ccm.register), (Some(When::Always), true));
        assert_eq!(other.version.as_ref().unwrap().on(Platform::Alpha), None);
        assert!(!other.is_for(Platform::Alpha));
        let on = |platform, variant: &str| {
            let wanted = other.version_on(platform, Some(&variant.parse().unwrap()));
            wanted.map(|version| version.to_string())
        };
        assert_eq!(on(Platform::I386, "english").as_deref(), Some("1.2.3.4"));
        assert_eq!(on(Platform::I386, "german").as_deref(), Some("1.2.3.5"));
        assert_eq!(on(Platform::Alpha, "french").as_deref(), Some("1.2.3.6"));
        assert_eq!(on(Platform::I386, "french"), None, "the variant's own table counts");
        assert_eq!(recipe.baselines[0].trees.on(Platform::Alpha), None);
        assert_eq!(recipe.article.symptoms.as_deref(), Some("It fails."));
    }

    #[test]
    fn what_may_be_left_out_has_its_default() {
        let recipe = parse("[payload]\nalpha = 'a'\n").unwrap();
        assert_eq!((recipe.revision, recipe.files.len(), recipe.baselines.len()), (1, 0, 0));
        assert_eq!(recipe.payload.on(Platform::I386), None);
    }

    #[test]
    fn errors_name_file_line_and_value() {
        for (rest, line, words) in [
            ("colour = 'red'\n[payload]\n", 4, "colour"),
            ("[payload]\nmips = 'x'\n", 5, "mips"),
            ("[payload]\n[[file]]\nname = '../x'\n", 6, "../x"),
            ("[payload]\n[[file]]\nname = 'a'\nversion = '2.0'\n", 7, "\"2.0\" is no file version"),
            ("[payload]\n[[file]]\nname = 'a'\nversion = { mips = '1.1.1.1' }\n", 7, "mips"),
            ("[payload]\n[[file]]\nname = 'a'\nversion = 2\n", 7, "a table of them"),
            ("[payload]\n[[file]]\nname = 'a'\nwhen = 'never'\n", 7, "never"),
            (
                "[payload]\n[[file]]\nname = 'a'\nversions = { german = '2.0' }\n",
                7,
                "\"2.0\" is no file version",
            ),
            ("[payload]\n[[file]]\nname = 'a'\nversions = { German = '2.0.0.0' }\n", 7, "German"),
            ("[payload]\n[[file]]\nname = 'a'\nroles = ['Site Server']\n", 7, "Site Server"),
            ("builds = [70000]\n[payload]\n", 4, "70000"),
            ("[[variant]]\nname = 'German'\n", 5, "German"),
            ("[[variant]]\nname = 'german'\nlanguages = ['de']\n", 6, "de"),
            ("[payload\n", 4, ""),
        ] {
            let error = parse(rest).unwrap_err();
            assert!(error.starts_with(&format!("update.toml, line {line}: ")), "{rest:?}: {error}");
            assert!(error.contains(words) && !error.contains('\n'), "{rest:?}: {error}");
        }
        assert!(Recipe::parse(Path::new("x"), "id = 'Q1'").is_err(), "the title is missing");
    }
}
