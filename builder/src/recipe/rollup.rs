//! Rollups: an update that takes others in, and their place.
//!
//! A rollup is one update with one number, installed and taken back as a whole: so its recipe becomes that of one update
//! here, and nothing behind it knows the difference. Of a file that several of its updates replace, the last one's is
//! meant, and what the earlier ones put there are known old states, beside those that each update knows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use qfe_patcher::name::{Role, UpdateId, Variant};
use qfe_patcher::platform::Platform;
use qfe_patcher::target_path::TargetPath;

use super::{Baseline, FileRule, PerPlatform, Recipe, Trees, VariantRule};
use crate::sources::Tree;

/// Why updates make no rollup.
#[derive(Debug, thiserror::Error)]
pub enum RollupError {
    /// One of them is for another product, or by another profile.
    #[error("{update} is for {found}, the rollup for {wanted}")]
    Product {
        /// The update.
        update: UpdateId,
        /// Its product and profile.
        found: String,
        /// The rollup's.
        wanted: String,
    },
    /// One of them is there twice, or is the rollup itself.
    #[error("{update} is there twice: a rollup takes each update in once, and not itself")]
    Twice {
        /// The update.
        update: UpdateId,
    },
    /// One of them is a rollup itself.
    #[error("{update} is a rollup itself: name its updates")]
    Nested {
        /// The update.
        update: UpdateId,
    },
    /// They have no build in common, and the rollup names none.
    #[error("the updates have no build in common ({found}): name the builds that the rollup is for")]
    NoBuild {
        /// Each update with its builds.
        found: String,
    },
    /// One of them stands before one that it needs.
    #[error("{update} comes before {required}, which it requires: put it behind that")]
    Order {
        /// The update.
        update: UpdateId,
        /// The one that it needs.
        required: UpdateId,
    },
    /// A later update would leave a file away from where an earlier one put it.
    #[error(
        "{name} goes to {earlier} by {first} and to {later} by {second}: say which by a [[file]] of the rollup"
    )]
    Place {
        /// The file.
        name: TargetPath,
        /// The earlier update.
        first: UpdateId,
        /// Where it puts the file.
        earlier: String,
        /// The later update.
        second: UpdateId,
        /// Where that puts it.
        later: String,
    },
    /// A variant means one thing in an update and another in the next.
    #[error("variant {variant} has other languages in {update} than in the updates before")]
    Languages {
        /// The variant.
        variant: Variant,
        /// The update.
        update: UpdateId,
    },
}

/// A recipe that a rollup takes in.
#[derive(Debug)]
pub struct Included {
    /// Its folder, relative to the rollup's recipe.
    pub folder: PathBuf,
    /// What it says.
    pub recipe: Recipe,
}

/// Makes one recipe of a rollup's, which lies in `base`, and those of the updates that it names, in its order.
pub fn merge(mut rollup: Recipe, included: Vec<Included>, base: &Path) -> Result<Recipe, RollupError> {
    rollup.updates.clear();
    check(&rollup, &included)?;
    if rollup.builds.is_empty() {
        rollup.builds = builds(&included)?;
    }
    let ids: Vec<UpdateId> = included.iter().map(|update| update.recipe.id.clone()).collect();
    let settled = rollup.files.iter().map(|rule| rule.name.folded()).collect();
    let mut merged = Merged { settled, ..Merged::default() };
    let (mut requires, mut supersedes, mut steps) = (Vec::new(), Vec::new(), Vec::new());
    for update in included {
        requires.extend(update.recipe.requires.clone());
        supersedes.push(update.recipe.id.clone());
        supersedes.extend(update.recipe.supersedes.clone());
        steps.extend(update.recipe.steps.clone());
        merged.add(update, base, Standing::TakenIn)?;
    }
    // What the rollup says itself comes last, and counts.
    let own = Included { folder: PathBuf::new(), recipe: rollup.clone() };
    merged.add(own, base, Standing::Own)?;
    supersedes.append(&mut rollup.supersedes);
    supersedes.retain(|id| *id != rollup.id);
    rollup.supersedes = once(supersedes);
    requires.retain(|id| !ids.contains(id) && !rollup.supersedes.contains(id));
    requires.append(&mut rollup.requires);
    rollup.requires = once(requires);
    steps.append(&mut rollup.steps);
    rollup.steps = once(steps);
    rollup.payload = merged.all.payload;
    rollup.baselines = merged.all.baselines;
    rollup.variants = merged.variants;
    rollup.files = merged.rules.into_iter().map(|(_, rule)| rule).collect();
    Ok(rollup)
}

fn check(rollup: &Recipe, included: &[Included]) -> Result<(), RollupError> {
    let product = |recipe: &Recipe, folder: &Path| {
        let profile = recipe.profile.as_ref().map(|profile| plain(&folder.join(profile)));
        let profile = profile.map_or_else(String::new, |profile| format!(" by {}", profile.display()));
        format!("{}{profile}", recipe.product)
    };
    let wanted = product(rollup, Path::new(""));
    for (at, Included { folder, recipe }) in included.iter().enumerate() {
        let update = recipe.id.clone();
        let before = || included.iter().take(at).map(|update| &update.recipe.id);
        let found = product(recipe, folder);
        if found != wanted {
            return Err(RollupError::Product { update, found, wanted });
        }
        if recipe.id == rollup.id || before().any(|id| *id == update) {
            return Err(RollupError::Twice { update });
        }
        if !recipe.updates.is_empty() {
            return Err(RollupError::Nested { update });
        }
        let behind = included.iter().skip(at + 1).map(|update| &update.recipe.id);
        if let Some(required) = behind.into_iter().find(|id| recipe.requires.contains(id)) {
            return Err(RollupError::Order { update, required: required.clone() });
        }
    }
    Ok(())
}

/// Returns the builds that all updates are for; none where none of them names any.
fn builds(included: &[Included]) -> Result<Vec<u16>, RollupError> {
    let mut named = included.iter().map(|update| &update.recipe.builds).filter(|builds| !builds.is_empty());
    let Some(first) = named.next() else { return Ok(Vec::new()) };
    let rest: Vec<_> = named.collect();
    let common: Vec<u16> =
        first.iter().copied().filter(|build| rest.iter().all(|builds| builds.contains(build))).collect();
    if common.is_empty() {
        let shown = |update: &Included| format!("{}: {:?}", update.recipe.id, update.recipe.builds);
        return Err(RollupError::NoBuild {
            found: included.iter().map(shown).collect::<Vec<_>>().join(", "),
        });
    }
    Ok(common)
}

/// Whose words they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// An update's that is taken in.
    TakenIn,
    /// The rollup's own, which count over all others.
    Own,
}

/// What updates come to together, in their order.
#[derive(Debug, Default)]
struct Merged {
    all: Part,
    variants: Vec<VariantRule>,
    /// The rule for each file, with the update that it is of.
    rules: Vec<(UpdateId, FileRule)>,
    /// Folded names of files for which the rollup has a rule itself.
    settled: BTreeSet<String>,
}

/// The files for every target, or those of a variant.
#[derive(Debug, Default)]
struct Part {
    payload: PerPlatform<Trees>,
    baselines: Vec<Baseline>,
}

impl Merged {
    fn add(&mut self, update: Included, base: &Path, standing: Standing) -> Result<(), RollupError> {
        let Included { folder, recipe } = update;
        let is_own = standing == Standing::Own;
        let mut rules = recipe.files;
        if rules.is_empty() {
            rules = every_file(&recipe.payload, &recipe.variants, &base.join(&folder));
        }
        let payloads: Vec<&PerPlatform<Trees>> =
            recipe.variants.iter().map(|variant| &variant.payload).chain([&recipe.payload]).collect();
        let platforms: Vec<Platform> = Platform::ALL
            .into_iter()
            .filter(|platform| is_own || payloads.iter().any(|payload| payload.on(*platform).is_some()))
            .collect();
        for mut rule in rules {
            let platforms = platforms.iter().copied().filter(|platform| rule.is_for(*platform));
            rule.platforms = Some(platforms.collect());
            self.add_rule(&recipe.id, rule)?;
        }
        // The rollup's own number is on nothing old.
        let id = (!is_own).then_some(&recipe.id);
        self.all.add(recipe.payload, recipe.baselines, &folder, id);
        for variant in recipe.variants {
            let at = self.variants.iter().position(|known| known.name == variant.name);
            let mut known = match at {
                Some(at) => self.variants.remove(at),
                None => VariantRule {
                    payload: PerPlatform::default(),
                    baselines: Vec::new(),
                    languages: variant.languages.clone(),
                    ..variant.clone()
                },
            };
            if known.languages != variant.languages {
                return Err(RollupError::Languages { variant: variant.name, update: recipe.id });
            }
            let mut part = Part { payload: known.payload, baselines: known.baselines };
            part.add(variant.payload, variant.baselines, &folder, id);
            known.title = variant.title.or(known.title);
            (known.payload, known.baselines) = (part.payload, part.baselines);
            self.variants.insert(at.unwrap_or(self.variants.len()), known);
        }
        Ok(())
    }

    /// Puts a rule in the place of those that earlier updates have for the same file.
    fn add_rule(&mut self, id: &UpdateId, rule: FileRule) -> Result<(), RollupError> {
        for (first, before) in
            self.rules.iter_mut().filter(|(_, before)| before.name.folded() == rule.name.folded())
        {
            let (Some(platforms), Some(new)) = (&mut before.platforms, &rule.platforms) else { continue };
            if !platforms.iter().any(|platform| new.contains(platform)) {
                continue;
            }
            platforms.retain(|platform| !new.contains(platform));
            let (earlier, later) = (place(before), place(&rule));
            if earlier != later && !self.settled.contains(&rule.name.folded()) {
                let (name, first, second) = (rule.name.clone(), first.clone(), id.clone());
                return Err(RollupError::Place { name, first, earlier, second, later });
            }
        }
        self.rules.retain(|(_, rule)| rule.platforms.as_ref().is_none_or(|platforms| !platforms.is_empty()));
        self.rules.push((id.clone(), rule));
        Ok(())
    }
}

impl Part {
    /// Adds an update's files, and has its new ones be a known old state if it has a number.
    fn add(
        &mut self,
        payload: PerPlatform<Trees>,
        baselines: Vec<Baseline>,
        folder: &Path,
        id: Option<&UpdateId>,
    ) {
        let within = |trees: PerPlatform<Trees>| {
            trees.map(|trees| trees.iter().map(|tree| plain(&folder.join(tree))).collect::<Trees>())
        };
        let payload = within(payload);
        for Baseline { name, trees } in baselines {
            let name = id.map_or_else(|| name.clone(), |id| format!("{name} of {id}"));
            self.baselines.push(Baseline { name, trees: within(trees) });
        }
        if let Some(id) = id.filter(|_| payload.is_some()) {
            self.baselines.push(Baseline { name: id.to_string(), trees: payload.clone() });
        }
        let own = &mut self.payload;
        for (trees, new) in [(&mut own.i386, payload.i386), (&mut own.alpha, payload.alpha)] {
            if let Some(new) = new {
                trees.get_or_insert_default().extend(new);
            }
        }
    }
}

/// Returns a rule for each file of a payload; what cannot be opened is told by the survey.
fn every_file(payload: &PerPlatform<Trees>, variants: &[VariantRule], base: &Path) -> Vec<FileRule> {
    let mut rules: BTreeMap<String, FileRule> = BTreeMap::new();
    for platform in Platform::ALL {
        let payloads = variants.iter().map(|variant| &variant.payload).chain([payload]);
        let trees = payloads.filter_map(|payload| payload.on(platform)).flatten();
        for tree in trees.filter_map(|tree| Tree::open(&base.join(tree)).ok()) {
            for name in tree.names() {
                let rule = rules.entry(name.folded()).or_insert_with(|| FileRule::of(name.clone()));
                rule.platforms.get_or_insert_default().push(platform);
            }
        }
    }
    rules.into_values().collect()
}

/// Says where a rule has its file go.
fn place(rule: &FileRule) -> String {
    let roles = rule.roles.as_ref().map(|roles| {
        let mut roles: Vec<&str> = roles.iter().map(Role::as_str).collect();
        roles.sort_unstable();
        roles.join(", ")
    });
    let roles = roles.unwrap_or_else(|| "all roles".to_owned());
    let to = rule.to.as_ref().map_or_else(String::new, |to| format!(" in {}", to.join(", ")));
    format!("{roles}{to}")
}

/// Returns a list without what stood there before.
fn once<T: PartialEq>(values: Vec<T>) -> Vec<T> {
    let mut seen = Vec::new();
    for value in values {
        if !seen.contains(&value) {
            seen.push(value);
        }
    }
    seen
}

/// Resolves `..` and `.` by the words alone, for messages and comparisons.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        let is_name = matches!(plain.components().next_back(), Some(Component::Normal(_)));
        match component {
            Component::CurDir => {}
            Component::ParentDir if is_name => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}
