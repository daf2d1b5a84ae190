//! `qfe-builder article`.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use clap::Args;

use qfe_patcher::bundle::manifest::{MAX_MEMBER, Manifest};
use qfe_patcher::bundle::{Bundle, BundleError};
use qfe_patcher::cli::failure::Failure;
use qfe_patcher::exit::ExitCode;
use qfe_patcher::json::object;
use qfe_patcher::target_path::TargetPath;

use super::build::build_failure;
use super::{Answer, MAX_BUNDLE, read_file, recipe, refuse, spare_inputs, write_file};
use crate::article::MAX_ARTICLE;
use crate::article::page::{PAGE_NAME, Page};
use crate::build;
use crate::recipe::Prose;

/// Writes the article of a bundle or recipe
///
/// The article says what the update fixes, lists its files with date, time, version, size and platform, and gives the
/// manual steps for each role with this update's folders and services. HTML opens anywhere; plain text has the layout of the Knowledge
/// Base; `draft` reads both to the same table. Symptoms, cause and further text come from `[article]` in the recipe.
///
/// Every bundle carries its article as README.htm. That of a recipe needs the payload. Signatures are not checked.
///
/// JSON: command, outcome ("written"), code, id, format ("html" or "text"), output, size; without --output article, the text itself.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    qfe-builder article Q252717.zip -o Q252717.txt\n  \
    qfe-builder article update.toml -o Q252717.htm")]
pub(super) struct ArticleArgs {
    /// A bundle, or a recipe
    source: PathBuf,
    /// The file to write; .htm and .html are HTML, .txt is plain text [default: plain text on standard output]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print one JSON object on standard output
    #[arg(long)]
    pub(super) json: bool,
}

/// How an article is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Html,
    Text,
}

impl Format {
    fn of(path: &Path) -> Result<Self, Failure> {
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
        match ending.as_deref() {
            Some("htm" | "html") => Ok(Self::Html),
            Some("txt") => Ok(Self::Text),
            _ => Err(refuse(format!(
                "{} ends neither in .htm nor in .txt, so its format is unknown",
                path.display()
            ))
            .hint("name a .htm or .txt as --output")),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Text => "text",
        }
    }
}

impl ArticleArgs {
    pub(super) fn run(self) -> Result<Answer, Failure> {
        let format = self.output.as_deref().map_or(Ok(Format::Text), Format::of)?;
        if let Some(output) = &self.output {
            spare_inputs(output, [self.source.as_path()])?;
        }
        let bytes = read_file(&self.source, MAX_BUNDLE)?;
        let is_bundle = [b"PK".as_slice(), b"MSCF", b"MZ"].iter().any(|magic| bytes.starts_with(magic));
        let (manifest, prose, own) = if is_bundle { of_bundle(bytes)? } else { self.of_recipe()? };
        let page = Page::of(&manifest, &prose);
        let article = match (format, own) {
            // What was signed, to the byte.
            (Format::Html, Some(own)) => own,
            (Format::Html, None) => page.html(),
            (Format::Text, _) => page.text(),
        };
        let (id, name, size) = (manifest.id, format.name(), article.len());
        let Some(output) = &self.output else {
            let value =
                object!({ "outcome": "written", "id": id, "format": name, "article": article, "size": size });
            return Ok(Answer { value, result: article, notes: String::new() });
        };
        write_file(output, article.as_bytes())?;
        let output = output.display().to_string();
        let notes = format!("{output}: the article of {id}, {size} bytes\n");
        let value =
            object!({ "outcome": "written", "id": id, "format": name, "output": output, "size": size });
        Ok(Answer { value, result: String::new(), notes })
    }

    fn of_recipe(&self) -> Result<(Manifest, Prose, Option<String>), Failure> {
        let (recipe, profile) = recipe::read(&self.source)?;
        let manifest = build::manifest(&recipe, &profile, recipe::folder(&self.source))
            .map_err(|error| build_failure(error, &self.source))?;
        Ok((manifest, recipe.article, None))
    }
}

/// Reads a bundle's manifest, and its page with the words that the recipe had added.
fn of_bundle(bytes: Vec<u8>) -> Result<(Manifest, Prose, Option<String>), Failure> {
    let bundle = Bundle::open(Cursor::new(bytes))?;
    let manifest = bundle.manifest_unverified().map_err(BundleError::from)?;
    let name: TargetPath = PAGE_NAME.parse().map_err(|error| Failure::new(ExitCode::Failed, error))?;
    // Bundles that were built before they had one have none.
    if manifest.member(&name).is_none() {
        return Ok((manifest, Prose::default(), None));
    }
    let bytes =
        bundle.into_container().read(&name, MAX_MEMBER.min(MAX_ARTICLE)).map_err(BundleError::from)?;
    let not_a_page = |_| refuse(format!("{PAGE_NAME} in the bundle is no article"));
    let prose = Page::prose(&bytes).map_err(not_a_page)?;
    let page =
        String::from_utf8(bytes).map_err(|_| refuse(format!("{PAGE_NAME} in the bundle is no UTF-8")))?;
    Ok((manifest, prose, Some(page)))
}
