//! The `[[file]]` entries of a recipe.

use std::collections::{BTreeMap, BTreeSet};

use qfe_patcher::platform::Platform;
use qfe_patcher::target_path::TargetPath;
use qfe_patcher::version::FileVersion;

use super::super::instructions::{Folder, Placing, base};
use super::super::platform::platform_of_folder;
use super::super::row::Row;
use super::toml::quoted;
use super::{Draft, DraftFile};

/// A name under which a file goes in.
struct Target {
    /// The name in the bundle.
    name: String,
    /// The folders below the target; none: the role's own.
    folders: Vec<String>,
    /// What the article calls it there, if that is another name.
    renamed: Option<String>,
}

/// The versions that a table prints of one file.
#[derive(Default)]
struct Versions {
    each: BTreeMap<Platform, BTreeSet<FileVersion>>,
    /// What is no version.
    unread: BTreeSet<String>,
}

impl Versions {
    /// Takes those of rows, each with the platforms that it is for, on some platforms.
    fn of<'r>(rows: impl Iterator<Item = (&'r Row, &'r [Platform])>, platforms: &[Platform]) -> Self {
        let mut versions = Self::default();
        for (row, of) in rows {
            let Some(printed) = &row.version else { continue };
            let Ok(version) = printed.parse::<FileVersion>() else {
                versions.unread.insert(printed.clone());
                continue;
            };
            for platform in of.iter().filter(|platform| platforms.contains(platform)) {
                versions.each.entry(*platform).or_default().insert(version);
            }
        }
        versions
    }

    fn are_several(&self) -> bool {
        self.each.values().any(|all| all.len() > 1)
    }

    /// Returns how a recipe writes them; none where there are none, or several for a platform.
    fn rule(&self, platforms: &[Platform]) -> Option<String> {
        if self.are_several() {
            return None;
        }
        let each: Vec<(Platform, FileVersion)> =
            self.each.iter().filter_map(|(platform, all)| Some((*platform, *all.first()?))).collect();
        let (_, first) = each.first()?;
        if each.len() == platforms.len() && each.iter().all(|(_, other)| other == first) {
            return Some(format!("\"{first}\""));
        }
        let each: Vec<String> =
            each.iter().map(|(platform, version)| format!("{platform} = \"{version}\"")).collect();
        Some(format!("{{ {} }}", each.join(", ")))
    }
}

impl Draft<'_> {
    pub(super) fn file(&mut self, file: &DraftFile<'_>) {
        let lower = file.name.to_lowercase();
        let variants: Vec<(Vec<Platform>, Vec<String>)> = {
            let of = |platform: Platform| self.places(&lower, platform);
            let [i386, alpha] = Platform::ALL.map(of);
            let own: BTreeSet<Platform> =
                file.rows.iter().flat_map(|(_, platforms)| platforms.clone()).collect();
            let own: Vec<Platform> = own.into_iter().collect();
            match own.as_slice() {
                [platform] => vec![(vec![*platform], of(*platform))],
                _ if i386 == alpha => vec![(own, i386)],
                _ => vec![(vec![Platform::I386], i386), (vec![Platform::Alpha], alpha)],
            }
        };
        for (platforms, folders) in variants {
            self.entries(file, &lower, &platforms, folders);
        }
    }

    /// Writes the `[[file]]` entries of a file on platforms where it goes to the same folders.
    fn entries(&mut self, file: &DraftFile<'_>, lower: &str, platforms: &[Platform], folders: Vec<String>) {
        let rows: Vec<&(&Row, Vec<Platform>)> = file
            .rows
            .iter()
            .filter(|(_, of)| of.iter().any(|platform| platforms.contains(platform)))
            .collect();
        for target in self.targets(file, lower, folders) {
            self.line("");
            let name = &target.name;
            if name.parse::<TargetPath>().is_err() {
                self.ask(format!("{name:?} can be no name of a file in a bundle: it is left out."));
                continue;
            }
            let claims: Vec<(String, Platform)> =
                platforms.iter().map(|platform| (name.to_lowercase(), *platform)).collect();
            let is_taken = claims.iter().any(|claim| self.claimed.contains(claim));
            self.claimed.extend(claims);
            if is_taken {
                self.ask(format!(
                    "{} would go in as {name} too: settle which of them does. It is left out.",
                    file.name
                ));
                continue;
            }
            self.target(file, lower, &rows, platforms, &target);
        }
    }

    /// Writes the entry of a file under one of its names.
    fn target(
        &mut self,
        file: &DraftFile<'_>,
        lower: &str,
        rows: &[&(&Row, Vec<Platform>)],
        platforms: &[Platform],
        target: &Target,
    ) {
        self.line("[[file]]");
        for (row, _) in rows {
            let shown = [&row.date, &row.time, &row.version, &row.size, &row.platform];
            let shown: Vec<&str> = shown.into_iter().flatten().map(String::as_str).collect();
            self.note(format!("line {}: {}", row.line, shown.join(", ")));
        }
        if let Some(renamed) = &target.renamed {
            self.note(format!(
                "It goes in as {renamed}: put {} into the payload under the name below.",
                file.name
            ));
        }
        self.line(format!("name = {}", quoted(&target.name)));
        self.version(file, rows, platforms);
        if platforms.len() == 1 {
            let names: Vec<String> = platforms.iter().map(|platform| quoted(&platform.to_string())).collect();
            self.line(format!("platforms = [{}]", names.join(", ")));
        }
        self.roles(lower);
        match target.folders.as_slice() {
            [] => {}
            [folder] if folder == "Bin/{platform}" => {}
            [folder] => self.line(format!("to = {}", quoted(folder))),
            folders => {
                let folders: Vec<String> = folders.iter().map(|folder| quoted(folder)).collect();
                self.line(format!("to = [{}]", folders.join(", ")));
            }
        }
        for unclear in self.unclear(lower) {
            self.ask(format!("The article sends it to {unclear}, which it does not name."));
        }
        if self.instructions.registered.contains(lower) {
            self.line("register = true");
        }
    }

    /// Writes the version that a file must have, and those of the variants that have another.
    fn version(&mut self, file: &DraftFile<'_>, rows: &[&(&Row, Vec<Platform>)], platforms: &[Platform]) {
        let own = Versions::of(rows.iter().map(|(row, of)| (*row, of.as_slice())), platforms);
        self.unclear_versions(&own, "");
        let rule = own.rule(platforms);
        if let Some(rule) = &rule {
            self.line(format!("version = {rule}"));
        }
        let mut others = Vec::new();
        for variant in self.other_variants() {
            let Some(table) = self.article.tables.get(variant.table) else { continue };
            let of_file = table.rows.iter().filter(|row| base(&row.file).eq_ignore_ascii_case(&file.name));
            let rows: Vec<(&Row, Vec<Platform>)> = of_file.map(|row| (row, table.platforms(row))).collect();
            let theirs = Versions::of(rows.iter().map(|(row, of)| (*row, of.as_slice())), platforms);
            self.unclear_versions(&theirs, &format!(" in the {} table", variant.title));
            match theirs.rule(platforms) {
                Some(other) if Some(&other) != rule.as_ref() => {
                    others.push(format!("{} = {other}", variant.name));
                }
                None if rule.is_some() => self.ask(format!(
                    "The {} table prints no version of it that can be read: if it has another, it belongs into versions.",
                    variant.title
                )),
                Some(_) | None => {}
            }
        }
        if !others.is_empty() {
            self.line(format!("versions = {{ {} }}", others.join(", ")));
        }
    }

    /// Asks about versions that cannot be told.
    fn unclear_versions(&mut self, versions: &Versions, place: &str) {
        for version in &versions.unread {
            self.ask(format!("The article prints {version:?}{place}, which is no whole version."));
        }
        if versions.are_several() {
            let all: BTreeSet<String> = versions.each.values().flatten().map(ToString::to_string).collect();
            let all: Vec<String> = all.into_iter().collect();
            self.ask(format!(
                "The article prints several versions for one platform{place}: {}.",
                all.join(", ")
            ));
        }
    }

    /// Returns the names under which a file goes in: its own, and one for each folder where it gets another.
    fn targets(&self, file: &DraftFile<'_>, lower: &str, folders: Vec<String>) -> Vec<Target> {
        let renamed = |folder: &str| {
            let is_there = |to: &Option<Folder>| matches!(to, Some(Folder::Known(known)) if known == folder);
            let mut placings = self.placings(lower).into_iter().map(|(_, placing)| placing);
            placings.find_map(|placing| placing.renamed.clone().filter(|_| is_there(&placing.to)))
        };
        let mut targets = Vec::new();
        let mut own = Vec::new();
        for folder in folders {
            match renamed(&folder) {
                Some(renamed) => {
                    let (parent, last) = folder.rsplit_once('/').unwrap_or((".", &folder));
                    let name = format!("{last}/{renamed}");
                    targets.push(Target { name, folders: vec![parent.to_owned()], renamed: Some(renamed) });
                }
                None => own.push(folder),
            }
        }
        if targets.is_empty() || !own.is_empty() {
            targets.push(Target { name: file.name.clone(), folders: own, renamed: None });
        }
        targets
    }

    /// Returns the places of a file, each with its role.
    fn placings(&self, lower: &str) -> Vec<(&'static str, &Placing)> {
        let all = self
            .instructions
            .roles
            .iter()
            .flat_map(|(role, places)| places.iter().map(|place| (*role, place)));
        all.filter(|(_, place)| place.files.is_empty() || place.files.iter().any(|file| file == lower))
            .collect()
    }

    /// Returns the folders of a file on a platform that a recipe can name.
    fn places(&self, lower: &str, platform: Platform) -> Vec<String> {
        let mut folders: Vec<String> = Vec::new();
        for (_, placing) in self.placings(lower) {
            let Some(Folder::Known(folder)) = &placing.to else { continue };
            let is_here = platform_of_folder(folder).is_none_or(|of| of == platform);
            if is_here && !folders.iter().any(|other| other.eq_ignore_ascii_case(folder)) {
                folders.push(folder.clone());
            }
        }
        folders
    }

    fn unclear(&self, lower: &str) -> BTreeSet<String> {
        let placings = self.placings(lower).into_iter();
        placings
            .filter_map(|(_, placing)| match &placing.to {
                Some(Folder::Unclear(folder)) => Some(folder.clone()),
                Some(Folder::Known(_)) | None => None,
            })
            .collect()
    }

    fn roles(&mut self, lower: &str) {
        let given: BTreeSet<&str> = self.placings(lower).iter().map(|(role, _)| *role).collect();
        let known: Vec<String> = self.profile.role_names().map(|role| role.as_str().to_owned()).collect();
        let roles: Vec<String> =
            known.iter().filter(|role| given.contains(role.as_str())).map(|role| quoted(role)).collect();
        if self.instructions.roles.is_empty() {
            self.ask(
                "The article does not say where it goes: as it stands, every role gets it in its own folder.",
            );
        } else if given.is_empty() {
            self.ask("No step of the article copies it: as it stands, the site server gets it in Bin.");
            self.line("roles = [\"site-server\"]");
        } else if roles.len() < known.len() && !roles.is_empty() {
            self.line(format!("roles = [{}]", roles.join(", ")));
        }
    }
}
