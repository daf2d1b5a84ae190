//! `qfe-builder draft`.

use std::path::{Path, PathBuf};

use clap::Args;

use qfe_patcher::cli::failure::Failure;
use qfe_patcher::exit::ExitCode;
use qfe_patcher::json::{Json, ToJson, object};

use super::{Answer, make_folder, read_file, recipe, refuse, spare_inputs, write_file};
use crate::article::{Article, MAX_ARTICLE, SourceError};
use crate::profile::Profile;

/// Makes a recipe from a Knowledge Base article
///
/// An article is plain text or a saved page. Number, title, product, build line, files with their versions, roles, folders, COM
/// servers, manual steps and superseded updates go into the recipe as far as the article tells them; what it leaves open stands there
/// as a comment that begins with `# ?`. Where it has several tables (languages, service packs) the recipe is made of the first,
/// or of that which --table names; those of the same files in other languages or for other service packs become variants, with their versions; the rest are comments. Broken dates and rows that contradict each other are warnings
/// with their line.
///
/// Each article makes a recipe of its own; files of one number (a text and a page) are one article. Several recipes go into
/// the folder that --output names, each as NUMBER/update.toml. A recipe that is there is not overwritten without --force.
///
/// JSON: command, outcome ("drafted"), code, id, title, tables (each: heading, rows; of these: file, version, size,
/// platform, date, time, as printed, null where the row has none), warnings (each: article, line, text), output; of several
/// articles command, outcome, code and articles, each an object of the others.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    qfe-builder draft Q252717.txt -o update.toml\n  \
    qfe-builder draft Q252717.htm --json\n  \
    qfe-builder draft articles/*.txt -o recipes/")]
pub(super) struct DraftArgs {
    /// The articles
    #[arg(required = true)]
    articles: Vec<PathBuf>,
    /// Where the recipe is written: a file, or a folder that is there [default: standard output]
    #[arg(long, short, value_name = "PATH")]
    output: Option<PathBuf>,
    /// Make the recipe of this table of the article, counted from 1 [default: the first]
    #[arg(long, value_name = "N")]
    table: Option<usize>,
    /// The product's profile [default: the built-in one]
    #[arg(long, value_name = "FILE")]
    profile: Option<PathBuf>,
    /// Overwrite a recipe that is there
    #[arg(long)]
    force: bool,
    /// Print one JSON object on standard output
    #[arg(long)]
    pub(super) json: bool,
}

/// A file that cannot be read as an article.
#[derive(Debug, thiserror::Error)]
#[error("{path} is no article")]
struct NoArticle {
    path: String,
    source: SourceError,
}

/// An article with what is to be told about it.
struct Drafted {
    article: Article,
    warnings: Vec<Warning>,
}

/// A doubtful place of an article.
struct Warning {
    article: String,
    line: usize,
    text: String,
}

impl ToJson for Warning {
    fn to_json(&self) -> Json {
        object!({ "article": self.article, "line": self.line, "text": self.text })
    }
}

/// Reads an article.
pub(super) fn read(path: &Path) -> Result<Article, Failure> {
    let bytes = read_file(path, MAX_ARTICLE)?;
    Article::read(&bytes).map_err(|source| {
        let path = path.display().to_string();
        Failure::new(ExitCode::BundleUnreadable, NoArticle { path, source })
            .hint("an article is plain text or a saved page")
    })
}

impl DraftArgs {
    pub(super) fn run(self) -> Result<Answer, Failure> {
        let drafted = self.read()?;
        let profile = recipe::profile(self.profile.as_deref())?;
        let (mut result, mut notes, mut values) = (String::new(), String::new(), Vec::new());
        let is_alone = drafted.len() == 1;
        if !is_alone && self.output.is_none() && !self.json {
            return Err(refuse(format!(
                "{} articles make as many recipes, which one output cannot hold",
                drafted.len()
            ))
            .hint("name a folder by --output, or draft one article at a time"));
        }
        for Drafted { article, warnings } in &drafted {
            for Warning { article, line, text } in warnings {
                notes.push_str(&format!("warning: {article}, line {line}: {text}\n"));
            }
            let written = self.write(article, &profile, is_alone, &mut notes, &mut result)?;
            values.push(
                article
                    .to_json()
                    .with("warnings", warnings)
                    .with("output", &written.map(|path| path.display().to_string())),
            );
        }
        let value = match values.len() {
            1 => values.remove(0),
            _ => object!({ "articles": Json::List(values) }),
        };
        Ok(Answer { value: value.with("outcome", &"drafted"), result, notes })
    }

    /// Reads the articles; copies of one are one.
    fn read(&self) -> Result<Vec<Drafted>, Failure> {
        let mut drafted: Vec<Drafted> = Vec::new();
        for path in &self.articles {
            let shown = path.display().to_string();
            let mut article = read(path)?;
            article.take_id(&path.file_name().unwrap_or_default().to_string_lossy());
            let warning = |line, text| Warning { article: shown.clone(), line, text };
            let warnings: Vec<Warning> =
                article.doubts.iter().map(|doubt| warning(doubt.line, doubt.text.clone())).collect();
            let same =
                drafted.iter_mut().find(|other| other.article.id.is_some() && other.article.id == article.id);
            match same {
                Some(other) => {
                    other.article.join(article);
                    other.warnings.extend(warnings);
                }
                None => drafted.push(Drafted { article, warnings }),
            }
        }
        Ok(drafted)
    }

    /// Writes the recipe of an article where it is wanted, and returns where it is.
    fn write(
        &self,
        article: &Article,
        profile: &Profile,
        is_alone: bool,
        notes: &mut String,
        result: &mut String,
    ) -> Result<Option<PathBuf>, Failure> {
        let shown = article.id.clone().unwrap_or_else(|| "the article".to_owned());
        if self.json && self.output.is_none() {
            return Ok(None);
        }
        let table = match self.table {
            None => 0,
            Some(number) => match number.checked_sub(1).filter(|at| *at < article.tables.len()) {
                Some(at) => at,
                None => {
                    return Err(refuse(format!(
                        "--table is {number}, {shown} has {} tables",
                        article.tables.len()
                    ))
                    .hint("`draft --json` shows them"));
                }
            },
        };
        if article.tables.is_empty() {
            notes.push_str(&format!("warning: {shown} has no file table: the recipe names no file\n"));
        }
        let recipe = article.recipe(profile, table);
        let Some(output) = &self.output else {
            result.push_str(&recipe);
            return Ok(None);
        };
        let path = target(output, article, is_alone)?;
        spare_inputs(&path, self.articles.iter().map(PathBuf::as_path))?;
        if !self.force && path.exists() {
            return Err(refuse(format!("{} is there, and may have been edited", path.display()))
                .hint("name another file by --output, or overwrite it by --force"));
        }
        write_file(&path, recipe.as_bytes())?;
        notes.push_str(&format!(
            "{}: the recipe of {shown}, with {}\n",
            path.display(),
            open_questions(&recipe)
        ));
        Ok(Some(path))
    }
}

/// Returns where the recipe of an article is written.
fn target(output: &Path, article: &Article, is_alone: bool) -> Result<PathBuf, Failure> {
    if !output.is_dir() {
        // What ends in a separator is meant as a folder.
        let is_file = is_alone && !output.to_string_lossy().ends_with(std::path::is_separator);
        return match is_file {
            true => Ok(output.to_owned()),
            false => Err(refuse(format!(
                "{} is meant as a folder, and there is none of this name",
                output.display()
            ))
            .hint("make that folder first")),
        };
    }
    let Some(id) = &article.id else {
        return Err(
            refuse("an article without a number gets no folder of its own").hint("name a file by --output")
        );
    };
    let folder = output.join(id);
    make_folder(&folder)?;
    Ok(folder.join("update.toml"))
}

/// Says how many questions a recipe leaves open.
fn open_questions(recipe: &str) -> String {
    match recipe.lines().filter(|line| line.starts_with("# ? ")).count() {
        0 => "no open question".to_owned(),
        1 => "1 open question (`# ?`)".to_owned(),
        more => format!("{more} open questions (`# ?`)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_counted() {
        for (recipe, said) in [
            ("# ? One.\n#   Still one.\nid = \"Q1\"\n", "1 open question (`# ?`)"),
            ("# ? One.\n# ? Two.\n", "2 open questions (`# ?`)"),
            ("# A note.\n", "no open question"),
        ] {
            assert_eq!(open_questions(recipe), said);
        }
    }
}
