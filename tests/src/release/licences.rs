//! The licences of what the programs contain besides our own code, as cargo knows it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::programs::workspace;

/// How the names of licence files begin, without regard to case.
const LICENCE_FILES: [&str; 6] = ["license", "licence", "copying", "copyright", "notice", "unlicense"];

/// Returns the licences of everything that goes into these packages for a target, each text once.
pub fn third_party(packages: &[&str], target: &str) -> String {
    let metadata = metadata(target);
    let mut text = format!(
        "What is in {} for {target} besides code of this project, and under which licences.\n\
         Where a licence offers a choice, either may be taken. The Rust standard library, too, is in them: MIT OR Apache-2.0.\n\n",
        packages.join(" and ")
    );
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in closure(&metadata, packages) {
        let field = |name: &str| text_of(package, name);
        let shown = format!("{} {}", field("name"), field("version"));
        let licence = field("license");
        assert!(!licence.is_empty(), "{shown} states no licence");
        text.push_str(&format!("{shown}: {licence}\n"));
        let folder = Path::new(field("manifest_path")).parent().expect("a manifest is in a folder");
        for licence in licence_files(folder) {
            texts.entry(licence).or_default().push(shown.clone());
        }
    }
    let mut texts: Vec<(Vec<String>, String)> =
        texts.into_iter().map(|(text, names)| (names, text)).collect();
    texts.sort();
    for (names, licence) in texts {
        let rule = "-".repeat(78);
        text.push_str(&format!("\n{rule}\n{}\n{rule}\n\n{}\n", names.join(", "), licence.trim_end()));
    }
    text
}

fn metadata(target: &str) -> Value {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--locked", "--filter-platform", target])
        .current_dir(workspace())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo speaks JSON")
}

/// Returns the packages of others that the named ones need to run, by name and version.
fn closure<'a>(metadata: &'a Value, names: &[&str]) -> Vec<&'a Value> {
    let list = |value: Option<&'a Value>| value.and_then(Value::as_array).into_iter().flatten();
    let packages: BTreeMap<&str, &Value> =
        list(metadata.get("packages")).map(|package| (text_of(package, "id"), package)).collect();
    let nodes: BTreeMap<&str, &Value> = list(metadata.get("resolve").and_then(|it| it.get("nodes")))
        .map(|node| (text_of(node, "id"), node))
        .collect();
    let is_ours = |package: &Value| package.get("source").is_none_or(Value::is_null);
    let is_named = |package: &Value| is_ours(package) && names.contains(&text_of(package, "name"));
    let mut waiting: Vec<&str> =
        packages.iter().filter(|(_, package)| is_named(package)).map(|(id, _)| *id).collect();
    assert_eq!(waiting.len(), names.len(), "{names:?} are packages of the workspace");
    let mut reached = BTreeSet::new();
    while let Some(id) = waiting.pop() {
        if !reached.insert(id) {
            continue;
        }
        for dependency in list(nodes.get(id).and_then(|node| node.get("deps"))) {
            let is_normal = |kind: &&Value| kind.get("kind").is_none_or(Value::is_null);
            if list(dependency.get("dep_kinds")).any(|kind| is_normal(&kind)) {
                waiting.push(text_of(dependency, "pkg"));
            }
        }
    }
    let mut others: Vec<&Value> = reached
        .iter()
        .filter_map(|id| packages.get(id).copied())
        .filter(|package| !is_ours(package))
        .collect();
    others.sort_by_key(|package| (text_of(package, "name"), text_of(package, "version")));
    others
}

fn text_of<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Reads the licence files of a package, sorted by name.
fn licence_files(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    paths.sort();
    let is_licence = |path: &&PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        LICENCE_FILES.iter().any(|start| name.starts_with(start))
    };
    let text =
        |path: &PathBuf| String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).replace("\r\n", "\n");
    paths.iter().filter(is_licence).map(text).collect()
}
