//! How values are written for people, in messages and in reports.

use std::fmt::Display;
use std::time::{Duration, SystemTime};

use qfe_patcher::timestamp::utc;
use qfe_patcher::version::FileVersion;

/// Writes a list with commas; `none` is what stands for one without items.
pub(crate) fn list(items: impl IntoIterator<Item = impl Display>, none: &str) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    if items.is_empty() { none.to_owned() } else { items.join(", ") }
}

/// Writes the version of a file, which may carry none.
pub(crate) fn version(version: Option<FileVersion>) -> String {
    version.map_or_else(|| "no version".to_owned(), |version| version.to_string())
}

/// Writes a Windows language id as Windows' own lists have it.
pub(crate) fn language(id: u16) -> String {
    format!("{id:#06x}")
}

/// Writes several of them.
pub(crate) fn languages(ids: &[u16]) -> String {
    list(ids.iter().copied().map(language), "none")
}

/// Writes the time stamp of an image, in seconds since 1970, as a time in UTC.
pub(crate) fn link_time(stamp: u32) -> String {
    utc(SystemTime::UNIX_EPOCH + Duration::from_secs(stamp.into()))
}
