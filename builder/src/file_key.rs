//! Which file of an update: names are one whatever their case, as on the servers' disks.

use std::cmp::Ordering;
use std::fmt;

use qfe_patcher::name::Variant;
use qfe_patcher::platform::Platform;
use qfe_patcher::target_path::TargetPath;

/// Which file of an update; in the order in which files are listed.
#[derive(Clone, Debug)]
pub struct FileKey {
    /// Its platform.
    pub platform: Platform,
    /// The variant it is of; none: it is for all of them.
    pub variant: Option<Variant>,
    /// Its name.
    pub name: TargetPath,
}

impl FileKey {
    fn order(&self) -> (Platform, String, Option<&Variant>) {
        (self.platform, self.name.folded(), self.variant.as_ref())
    }
}

impl Ord for FileKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order().cmp(&other.order())
    }
}

impl PartialOrd for FileKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for FileKey {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for FileKey {}

impl fmt::Display for FileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}{}", self.platform, self.name, Variant::suffix(self.variant.as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_whatever_their_case_and_variants_follow_what_is_for_all() {
        let key = |platform, name: &str, variant: Option<&str>| FileKey {
            platform,
            variant: variant.map(|variant| variant.parse().unwrap()),
            name: name.parse().unwrap(),
        };
        assert_eq!(key(Platform::I386, "CCM.DLL", None), key(Platform::I386, "ccm.dll", None));
        let ordered = [
            key(Platform::I386, "a.dll", None),
            key(Platform::I386, "A.dll", Some("french")),
            key(Platform::I386, "a.DLL", Some("german")),
            key(Platform::I386, "B.dll", None),
            key(Platform::Alpha, "a.dll", None),
        ];
        assert!(ordered.is_sorted_by(|one, other| one < other));
        assert_eq!(ordered[1].to_string(), "i386/A.dll (french)");
    }
}
