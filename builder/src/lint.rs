//! The reviewer: what is wrong or odd about recipes and their files before they are built.
//!
//! What `build` refuses or warns of is found by the same code ([`crate::build::survey`]) and gets a [`Code`]; what a
//! careful reader asks besides is in the folder `lint`: of files and baselines, of images, of several updates together,
//! and of the article that goes with an update. What is the product's own comes from its profile
//! ([`crate::profile::review`]). Nothing here decides what a bundle holds, and nothing prints.
//!
//! The same inputs give the same findings, in order: by update as given, then by code, platform and file.

use std::fmt;
use std::path::Path;

use qfe_patcher::json::{Json, object_to_json};
use qfe_patcher::name::{UpdateId, Variant};
use qfe_patcher::platform::Platform;

use crate::article::Table;
use crate::build::survey::examine;
use crate::file_key::FileKey;
use crate::profile::Profile;
use crate::recipe::Recipe;

mod article;
pub mod code;
mod contradiction;
mod files;
mod images;
mod portable;
mod updates;

use code::{Code, Severity};
use updates::Summary;

/// One point that the reviewer makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its kind.
    pub code: Code,
    /// How much it weighs.
    pub severity: Severity,
    /// The update.
    pub update: String,
    /// The file, if it is about one.
    pub file: Option<String>,
    /// The platform, if it is about one.
    pub platform: Option<Platform>,
    /// The variant, if it is about a file of one.
    pub variant: Option<Variant>,
    /// What was found.
    pub found: String,
    /// What was wanted.
    pub wanted: String,
    /// What can be done.
    pub remedy: String,
}

object_to_json!(Finding { code, severity, update, file, platform, variant, found, wanted, remedy });

impl Finding {
    fn new(code: Code) -> Self {
        Self {
            code,
            severity: code.severity(),
            update: String::new(),
            file: None,
            platform: None,
            variant: None,
            found: String::new(),
            wanted: String::new(),
            remedy: String::new(),
        }
    }

    fn in_update(mut self, update: &UpdateId) -> Self {
        self.update = update.to_string();
        self
    }

    fn on(mut self, platform: Platform) -> Self {
        self.platform = Some(platform);
        self
    }

    fn of(mut self, file: impl fmt::Display) -> Self {
        self.file = Some(file.to_string());
        self
    }

    fn about(mut self, key: &FileKey) -> Self {
        self.variant = key.variant.clone();
        self.on(key.platform).of(&key.name)
    }

    fn values(mut self, found: impl Into<String>, wanted: impl Into<String>) -> Self {
        self.found = found.into();
        self.wanted = wanted.into();
        self
    }

    fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = remedy.into();
        self
    }
}

impl fmt::Display for Finding {
    /// Writes a line for the finding, and one for each of what was found, wanted and can be done.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, severity, update, file, platform, variant, found, wanted, remedy } = self;
        write!(f, "{}: {code}: {update}", severity.word())?;
        match (platform, file) {
            (Some(platform), Some(file)) => write!(f, ": {platform}: {file}")?,
            (Some(platform), None) => write!(f, ": {platform}")?,
            (None, Some(file)) => write!(f, ": {file}")?,
            (None, None) => {}
        }
        writeln!(f, "{}: {}", Variant::suffix(variant.as_ref()), code.meaning())?;
        writeln!(f, "  found:  {found}")?;
        writeln!(f, "  wanted: {wanted}")?;
        writeln!(f, "  remedy: {remedy}")
    }
}

/// An update to be looked at.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Its recipe.
    pub recipe: &'a Recipe,
    /// The profile of its product.
    pub profile: &'a Profile,
    /// What paths in the recipe are relative to.
    pub base: &'a Path,
    /// The file tables of its article, if there is one.
    pub article: Option<&'a [Table]>,
}

/// Looks at updates, each by itself and then all together.
pub fn lint(subjects: &[Subject<'_>]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut summaries = Vec::new();
    for subject in subjects {
        let (of_one, summary) = lint_one(subject);
        findings.extend(of_one);
        summaries.push(summary);
    }
    findings.extend(updates::check(&summaries));
    findings
}

/// Looks at one update; what the others need to know of it is small, its files are not.
fn lint_one(subject: &Subject<'_>) -> (Vec<Finding>, Summary) {
    let Subject { recipe, profile, base, article } = *subject;
    let examined = examine(recipe, profile, base);
    let mut findings: Vec<Finding> = examined.refusals.iter().map(contradiction::refusal).collect();
    findings.extend(examined.warnings.iter().map(contradiction::warning));
    findings.extend(files::check(recipe, profile, &examined.files));
    findings.extend(images::check(recipe, profile, &examined.files));
    if let Some(tables) = article {
        findings.extend(article::check(tables, recipe, &examined.files));
    }
    for finding in &mut findings {
        finding.update = recipe.id.to_string();
    }
    findings.sort_by(|a, b| {
        (a.code, a.platform, &a.file, &a.variant, &a.found)
            .cmp(&(b.code, b.platform, &b.file, &b.variant, &b.found))
    });
    // A file that is looked at on several ways may give one finding twice.
    findings.dedup();
    (findings, Summary::of(recipe, &examined.files))
}

/// How many findings there are of each weight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Errors.
    pub errors: usize,
    /// Warnings.
    pub warnings: usize,
    /// Notes.
    pub notes: usize,
}

object_to_json!(Counts { errors, warnings, notes });

impl Counts {
    /// Counts findings.
    pub fn of(findings: &[Finding]) -> Self {
        let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
        Self {
            errors: count(Severity::Error),
            warnings: count(Severity::Warning),
            notes: count(Severity::Note),
        }
    }
}

/// Returns the codes as JSON: name, severity and meaning of each.
pub fn codes_json() -> Json {
    Json::list(Code::ALL.iter().map(|code| {
        Json::object(&[
            ("code", Some(code)),
            ("severity", Some(&code.severity())),
            ("meaning", Some(&code.meaning())),
        ])
    }))
}
