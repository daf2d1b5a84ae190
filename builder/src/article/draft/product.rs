//! The products, service packs and builds that an article speaks of.

use std::collections::BTreeSet;

use qfe_patcher::version::FileVersion;

use super::super::row::Row;

/// Returns the products that one line names: `Microsoft X version 2.0 SP1` is `X 2.0`.
pub(super) fn products(line: &str) -> Vec<String> {
    let line = line.trim().trim_start_matches("Microsoft ").trim_end_matches(['.', ',']);
    let cut = [", versions ", " versions ", ", version ", " version "]
        .iter()
        .find_map(|word| line.split_once(word));
    let Some((name, versions)) = cut else { return vec![without_pack(line)] };
    let mut found = Vec::new();
    for version in versions.split(',').take(16) {
        let version = version.split_whitespace().next().unwrap_or_default();
        let product = format!("{} {version}", name.trim_end_matches(','));
        if version.starts_with(|c: char| c.is_ascii_digit()) && !found.contains(&product) {
            found.push(product);
        }
    }
    if found.is_empty() { vec![line.to_owned()] } else { found }
}

/// Cuts off what stands behind the version of a product: `X Server 2.0 Service Pack 2`, `X Server 1.2 Standard Edition`.
fn without_pack(line: &str) -> String {
    let is_version = |word: &str| {
        word.split('.').count() > 1
            && word.split('.').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let words: Vec<&str> = line.split_whitespace().collect();
    let end = words.iter().position(|word| is_version(word)).map_or(words.len(), |at| at + 1);
    words.get(..end).unwrap_or_default().join(" ")
}

/// Returns the service packs that a text names, as a profile does: `SP1`; a version without one is `SP0`.
pub(in crate::article) fn service_packs(text: &str) -> BTreeSet<String> {
    let spelled = text.replace("Service Pack ", "SP").replace("service pack ", "SP");
    let mut found: BTreeSet<String> = spelled
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| {
            let digits = word.strip_prefix("SP").unwrap_or_default();
            !digits.is_empty() && digits.len() <= 2 && digits.bytes().all(|byte| byte.is_ascii_digit())
        })
        .map(str::to_owned)
        .collect();
    if found.is_empty() && (text.ends_with(" 2.0") || text.contains(" 2.0,")) {
        found.insert("SP0".to_owned());
    }
    found
}

/// Returns the build that a row's version is of, if it can be one.
pub(super) fn build(row: &Row) -> Option<u16> {
    let version = row.version.as_ref()?;
    match version.parse::<FileVersion>() {
        Ok(version) => Some(version.build()),
        Err(_) => {
            let mut parts = version.split('.');
            let first = parts.next()?;
            parts.next()?;
            if parts.next().is_none() { first.parse().ok() } else { None }
        }
    }
}
