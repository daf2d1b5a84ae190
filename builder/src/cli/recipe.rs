//! How subcommands read recipes.

use std::path::Path;

use qfe_patcher::cli::failure::Failure;
use qfe_patcher::exit::ExitCode;

use super::{MAX_TEXT, read_text};
use crate::profile::Profile;
use crate::recipe::Recipe;
use crate::recipe::rollup::{Included, merge};

/// Most updates of a rollup.
const MAX_UPDATES: usize = 200;

/// Reads a recipe, with those of the updates that it takes in, and the profile that it names, or the built-in one.
pub(super) fn read(path: &Path) -> Result<(Recipe, Profile), Failure> {
    let base = folder(path);
    let mut recipe = parse(path)?;
    let profile = profile(recipe.profile.as_ref().map(|name| base.join(name)).as_deref())?;
    if recipe.updates.len() > MAX_UPDATES {
        let found = recipe.updates.len();
        return Err(bad(format!(
            "{} names {found} updates, at most {MAX_UPDATES} are taken",
            path.display()
        )));
    }
    if !recipe.updates.is_empty() {
        let mut included = Vec::new();
        for update in &recipe.updates {
            let recipe = parse(&base.join(update))?;
            included.push(Included { folder: folder(update).to_owned(), recipe });
        }
        recipe =
            merge(recipe, included, base).map_err(|error| bad(error).hint("correct the rollup's recipe"))?;
    }
    Ok((recipe, profile))
}

/// Returns the folder of a recipe, to which paths in it are relative.
pub(super) fn folder(recipe: &Path) -> &Path {
    recipe.parent().unwrap_or(Path::new(""))
}

/// Reads a profile; none: the built-in one.
pub(super) fn profile(path: Option<&Path>) -> Result<Profile, Failure> {
    let profile = match path {
        None => Profile::sms2(),
        Some(path) => Profile::parse(path, &read_text(path, MAX_TEXT)?),
    };
    profile.map_err(bad)
}

fn parse(path: &Path) -> Result<Recipe, Failure> {
    Recipe::parse(path, &read_text(path, MAX_TEXT)?).map_err(bad)
}

fn bad(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Failure {
    Failure::new(ExitCode::BadCommandLine, error)
}
