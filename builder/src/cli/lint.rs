//! `qfe-builder lint`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use qfe_patcher::cli::failure::Failure;
use qfe_patcher::exit::ExitCode;
use qfe_patcher::json::object;

use super::{Answer, draft, recipe, refuse};
use crate::article::Table;
use crate::lint::code::{Code, Severity};
use crate::lint::{Counts, Finding, Subject, codes_json, lint};
use crate::profile::Profile;
use crate::recipe::Recipe;

/// Looks at recipes and their files as a careful reviewer would, before they are built
///
/// What `build` refuses or warns of, and more: files that are missing on one platform or in a baseline, versions and
/// dates that do not follow each other, images that are packed, damaged or no longer signed, functions that the old file
/// exported, what the product wants to come along with a file, mixed languages; and of several recipes whether one file
/// is in two updates that do not know of each other.
///
/// Each finding has a code with a stable name, and says what was found, what was wanted and what can be done. Errors are
/// what `build` refuses or what would harm servers; with one of them the exit code is 1639.
///
/// JSON: command, outcome ("clean", "findings", or "refused" with code 1639), code, updates, errors, warnings, notes,
/// findings (each: code, severity, update, file, platform, variant, found, wanted, remedy). With --codes: outcome ("listed"), code,
/// codes (each: code, severity, meaning).
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    qfe-builder lint update.toml --article Q252717.txt\n  \
    qfe-builder lint */update.toml --deny warnings --allow L042 --json")]
pub(super) struct LintArgs {
    /// The recipes; paths in them are relative to their folders
    #[arg(value_name = "RECIPE", required_unless_present = "codes")]
    recipes: Vec<PathBuf>,
    /// The article of the recipe, plain text or a saved page: its file table is held against the files
    #[arg(long, value_name = "FILE")]
    article: Option<PathBuf>,
    /// What counts as an error as well: warnings, or notes and warnings
    #[arg(long, value_name = "WHAT")]
    deny: Option<Deny>,
    /// Leave findings of this code out, such as L042; may be repeated. Errors cannot be left out
    #[arg(long, value_name = "CODE")]
    allow: Vec<String>,
    /// List all codes and what they mean
    #[arg(long, conflicts_with_all = ["recipes", "article", "deny", "allow"])]
    codes: bool,
    /// Print one JSON object on standard output
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Deny {
    /// Warnings
    Warnings,
    /// Warnings and notes
    Notes,
}

impl LintArgs {
    /// Ends with 1639 where there are errors: the recipe is at fault, as it is for `build`.
    pub(super) fn run(self) -> Result<(Answer, ExitCode), Failure> {
        if self.codes {
            return Ok((list_codes(), ExitCode::Success));
        }
        let allowed = self.allow.iter().map(|text| allowed(text)).collect::<Result<Vec<Code>, _>>()?;
        let read = self.recipes.iter().map(|path| recipe::read(path)).collect::<Result<Vec<_>, _>>()?;
        if self.article.is_some() && read.len() > 1 {
            return Err(refuse(format!("--article goes with one recipe, there are {}", read.len()))
                .hint("look at each recipe that has an article by itself"));
        }
        let article = self.article.as_deref().map(draft::read).transpose()?;
        let tables = article.as_ref().map(|article| article.tables.as_slice());
        let subjects: Vec<Subject<'_>> = self
            .recipes
            .iter()
            .zip(&read)
            .map(|(path, (recipe, profile))| subject(path, recipe, profile, tables))
            .collect();
        let mut findings = lint(&subjects);
        findings.retain(|finding| !allowed.contains(&finding.code));
        if let Some(deny) = self.deny {
            findings.iter_mut().for_each(|finding| raise(finding, deny));
        }
        Ok(answer(&subjects, &findings))
    }
}

fn subject<'a>(
    path: &'a Path,
    recipe: &'a Recipe,
    profile: &'a Profile,
    article: Option<&'a [Table]>,
) -> Subject<'a> {
    Subject { recipe, profile, base: recipe::folder(path), article }
}

fn allowed(text: &str) -> Result<Code, Failure> {
    let hint = "qfe-builder lint --codes lists them";
    match Code::named(text) {
        None => Err(refuse(format!("--allow {text}: there is no such code")).hint(hint)),
        Some(code) if code.severity() == Severity::Error => Err(refuse(format!(
            "--allow {text}: {code} is an error, only warnings and notes can be left out"
        ))
        .hint(hint)),
        Some(code) => Ok(code),
    }
}

fn raise(finding: &mut Finding, deny: Deny) {
    let is_denied = match deny {
        Deny::Warnings => finding.severity == Severity::Warning,
        Deny::Notes => true,
    };
    if is_denied {
        finding.severity = Severity::Error;
    }
}

fn answer(subjects: &[Subject<'_>], findings: &Vec<Finding>) -> (Answer, ExitCode) {
    let counts = Counts::of(findings);
    let (outcome, code) = match (counts.errors, findings.is_empty()) {
        (0, true) => ("clean", ExitCode::Success),
        (0, false) => ("findings", ExitCode::Success),
        _ => ("refused", ExitCode::BadCommandLine),
    };
    let updates: Vec<String> = subjects.iter().map(|subject| subject.recipe.id.to_string()).collect();
    let notes = format!(
        "{}: {} errors, {} warnings, {} notes\n",
        updates.join(", "),
        counts.errors,
        counts.warnings,
        counts.notes
    );
    let value = object!({
        "outcome": outcome,
        "updates": updates,
        "errors": counts.errors,
        "warnings": counts.warnings,
        "notes": counts.notes,
        "findings": findings,
    });
    let result = findings.iter().map(ToString::to_string).collect();
    (Answer { value, result, notes }, code)
}

fn list_codes() -> Answer {
    let line =
        |code: &Code| format!("{:<26} {:<8} {}\n", code.name(), code.severity().word(), code.meaning());
    let value = object!({ "outcome": "listed", "codes": codes_json() });
    Answer { value, result: Code::ALL.iter().map(line).collect(), notes: String::new() }
}
