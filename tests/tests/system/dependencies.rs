//! What the patcher is made of is what its table of dependencies says; and every licence is one that may be.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use qfe_tests::programs::workspace;

/// Licences that ask for no more than to be named.
const LICENCES: [&str; 13] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC0-1.0",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "Unicode-3.0",
    "Zlib",
    "bzip2-1.0.6",
];

fn cargo(args: &[&str]) -> String {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo).args(args).current_dir(workspace()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Tells whether a licence expression (SPDX) can be met by [`LICENCES`].
fn may_be(expression: &str) -> bool {
    let expression = expression.replace(['(', ')'], "").replace('/', " OR ");
    let one_of = |part: &str| part.split(" OR ").any(|licence| LICENCES.contains(&licence.trim()));
    expression.split(" AND ").all(one_of)
}

#[test]
fn the_table_of_the_patchers_dependencies_is_true() {
    let table = fs::read_to_string(workspace().join("patcher/DEPENDENCIES.md")).unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| ")).skip(1);
    let told: Vec<&str> =
        rows.filter_map(|row| row.split(" |").next()).flat_map(|names| names.split(", ")).collect();
    let tree = [
        "tree",
        "--package",
        "qfe-patcher",
        "--edges",
        "normal,no-proc-macro",
        "--target",
        "all",
        "--prefix",
        "none",
        "--locked",
    ];
    let built: BTreeSet<String> = cargo(&tree)
        .lines()
        .filter_map(|line| line.split(' ').next())
        .filter(|name| !name.starts_with("qfe-"))
        .map(str::to_owned)
        .collect();
    assert!(built.len() > 20, "{built:?}");
    let untold: Vec<_> = built.iter().filter(|name| !told.contains(&name.as_str())).collect();
    assert!(untold.is_empty(), "not in patcher/DEPENDENCIES.md: {untold:?}");
    let gone: Vec<_> = told.iter().filter(|name| !built.contains(**name)).collect();
    assert!(gone.is_empty(), "in patcher/DEPENDENCIES.md, and not in the patcher: {gone:?}");
    assert_eq!(told.len(), built.len(), "a crate is told twice");
}

#[test]
fn every_licence_is_one_that_may_be() {
    let metadata: serde_json::Value =
        serde_json::from_str(&cargo(&["metadata", "--format-version", "1", "--locked"])).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 50);
    for package in packages {
        let licence = package["license"].as_str().unwrap_or("none");
        assert!(may_be(licence), "{} {}: {licence}", package["name"], package["version"]);
    }
    assert!(!may_be("GPL-3.0-only") && !may_be("MIT AND GPL-2.0-only") && may_be("GPL-2.0-only OR MIT"));
}
