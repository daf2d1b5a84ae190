//! The codes of findings: stable names that scripts may rely on.
//!
//! A code is never given another meaning; one that is no longer used is not used again. The first digits group them: 00 the
//! recipe, 01 which files there are, 02 versions, 03 roles and places, 04 baselines, 05 dates, 06 contents, 08 what the
//! product wants, 09 languages, 10 the article, 11 several updates.

use std::fmt;

use qfe_patcher::json::{Json, ToJson};

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// `build` refuses it, or servers would be harmed.
    Error,
    /// It looks wrong, and somebody should decide.
    Warning,
    /// It is worth knowing.
    Note,
}

impl Severity {
    /// Returns the word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

impl ToJson for Severity {
    fn to_json(&self) -> Json {
        self.word().to_json()
    }
}

macro_rules! codes {
    ($($code:ident $name:literal $severity:ident $meaning:literal;)*) => {
        /// A kind of finding.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Code {
            $(
                #[doc = $meaning]
                $code,
            )*
        }

        impl Code {
            /// Every code, in the order of its number.
            pub const ALL: &[Self] = &[$(Self::$code),*];

            /// Returns its name.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$code => $name,)*
                }
            }

            /// Returns how much it weighs.
            pub fn severity(self) -> Severity {
                match self {
                    $(Self::$code => Severity::$severity,)*
                }
            }

            /// Returns what it means, in a few words.
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Self::$code => $meaning,)*
                }
            }
        }
    };
}

codes! {
    Unreadable "L001-unreadable" Error "a payload or baseline cannot be read";
    Product "L002-product" Error "recipe and profile are for different products";
    Value "L003-value" Error "a value of the recipe makes no sense";
    NoPayload "L004-no-payload" Error "there are no new files";
    NoPlatform "L005-no-platform" Error "something is said of a platform that has no payload";
    FileName "L006-file-name" Error "a file has a name that no bundle can carry";

    Unlisted "L010-unlisted" Error "a file of the payload is not listed in the recipe";
    Absent "L011-absent" Error "a listed file is in no payload";
    MissingTwin "L012-missing-twin" Error "a file is missing on the other platform";
    ListedTwice "L013-listed-twice" Error "a file is listed twice";
    Empty "L014-empty" Warning "a file is empty";
    MissingInVariant "L015-missing-in-variant" Error "a file is missing in a variant";

    Machine "L020-machine" Error "an image is for another processor";
    WrongVersion "L021-wrong-version" Error "a file has another version than the recipe says";
    NoVersion "L022-no-version" Error "the recipe states a version of a file that has none";
    VersionNotRaised "L023-version-not-raised" Warning "old and new file have one version and other contents";
    VersionLowered "L024-version-lowered" Warning "the new file's version is below the old one's";
    VersionLost "L025-version-lost" Warning "the old file has a version, the new one has none";
    TwinVersions "L026-twin-versions" Note "the platforms have different versions of a file";
    BuildLine "L027-build-line" Warning "the third number of a version is no build that the update is for";

    UnknownRole "L030-unknown-role" Error "a file goes to a role that the profile does not define";
    Roles "L031-roles" Error "a file goes to no role, or to one twice";
    Destination "L032-destination" Error "a destination is no safe path";
    SameDestination "L033-same-destination" Error "two files have one destination";
    NeverInstalled "L034-never-installed" Warning "no role adds the file, and no baseline has it to be replaced";

    NoBaseline "L040-no-baseline" Warning "the recipe names no baseline";
    ForeignBaseline "L041-foreign-baseline" Warning "a baseline holds no file of the payload";
    NewFile "L042-new-file" Note "no baseline holds the file";
    BaselineGap "L043-baseline-gap" Warning "a baseline lacks a file that another one holds";
    Unchanged "L044-unchanged" Note "the baseline's file is the new file already";
    NotCovered "L045-not-covered" Warning "a baseline holds nothing that the update would replace";
    SameBaselines "L046-same-baselines" Note "two baselines hold the same files";

    NoDate "L050-no-date" Warning "an image states no time at which it was linked";
    FutureDate "L051-future-date" Warning "an image was linked years after every other one";
    OlderThanBaseline "L052-older-than-baseline" Warning "the new file was linked before the old one";
    TwinDates "L053-twin-dates" Note "the twins were linked more than a month apart";

    Unsigned "L060-unsigned" Warning "the old file carries a certificate, the new one does not";
    Packed "L061-packed" Warning "an image is packed or encrypted";
    Checksum "L062-checksum" Warning "the checksum of an image is wrong";
    CutOff "L063-cut-off" Error "an image ends before its last section does";
    NoImage "L064-no-image" Warning "the old file is an image, the new one is not";
    NotARelease "L065-not-a-release" Warning "an image calls itself a debug, pre-release or private build";
    LostExport "L066-lost-export" Warning "the new file lacks functions that the old one exports";
    NoComServer "L067-no-com-server" Error "a file is to be registered and cannot be";
    ComServer "L068-com-server" Note "a file could be registered and is not to be";

    Companion "L080-companion" Warning "a file needs another one that the update lacks";
    CompanionFolder "L081-companion-folder" Warning "a file needs to go to another folder as well";

    UnknownLanguage "L090-unknown-language" Warning "an image is in a language that the product does not have";
    OtherLanguage "L091-other-language" Warning "old and new file are in different languages";
    MixedLanguages "L092-mixed-languages" Warning "the images of a payload are in different languages";
    VariantLanguage "L093-variant-language" Warning "an image of a variant is in none of its languages";

    NotInPayload "L100-not-in-payload" Error "the article lists a file that the payload lacks";
    NotInArticle "L101-not-in-article" Warning "the article does not list a file of the payload";
    ArticleVersion "L102-article-version" Error "the article states another version";
    ArticleSize "L103-article-size" Warning "the article states another size";
    ArticleDate "L104-article-date" Note "the article states another date";
    ArticleUnclear "L105-article-unclear" Note "a value of the article cannot be understood";

    SameUpdate "L110-same-update" Error "two recipes are for one update";
    TwoVersions "L111-two-versions" Warning "updates for one build have different versions of a file, and neither supersedes the other";
    TwoContents "L112-two-contents" Error "updates have one version of a file with different contents";
    SupersedesNewer "L113-supersedes-newer" Error "an update supersedes another that has a newer version of a file";
    SupersedesMore "L114-supersedes-more" Warning "an update supersedes another that has a file which it lacks";
    Circle "L115-circle" Error "updates require one another";
}

impl Code {
    /// Returns the code that a user means: by its whole name, or by its number (`L012`), in any case.
    pub fn named(text: &str) -> Option<Self> {
        let number = |name: &'static str| name.split('-').next().unwrap_or(name);
        Self::ALL.iter().copied().find(|code| {
            code.name().eq_ignore_ascii_case(text) || number(code.name()).eq_ignore_ascii_case(text)
        })
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl ToJson for Code {
    fn to_json(&self) -> Json {
        self.name().to_json()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_order_once_and_found_by_their_number() {
        let names: Vec<&str> = Code::ALL.iter().map(|code| code.name()).collect();
        assert!(names.is_sorted_by(|a, b| a[..4] < b[..4]), "{names:?}");
        for code in Code::ALL {
            let name = code.name();
            assert_eq!(Code::named(name), Some(*code));
            assert_eq!(Code::named(&name[..4].to_lowercase()), Some(*code));
            let rest = &name[5..];
            assert!(
                name.as_bytes()[4] == b'-' && rest.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'),
                "{name}"
            );
        }
        assert_eq!(Code::named("L999"), None);
    }
}
