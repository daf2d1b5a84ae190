//! Where the parts of a product are on a machine, by what its registry states.

use std::path::Path;

use crate::bundle::product::{InstalledAt, RoleEntry};
use crate::chain::debug_as_shown;
use crate::host::{HostError, Registry};
use crate::name::Role;

/// A part of a product that is on a machine.
#[derive(Debug)]
pub struct Installed<'r> {
    /// The part.
    pub role: &'r RoleEntry,
    /// The value that states its folder.
    pub at: &'r InstalledAt,
    /// The folder, as it is stated.
    pub folder: String,
}

/// Why it is not known which part of a product is meant.
#[derive(thiserror::Error)]
pub enum Unclear {
    /// The machine states none.
    #[error("the registry of this machine does not state where that part of the product is (known: {known})")]
    Nowhere {
        /// The values that would state it, each with its part.
        known: String,
    },
    /// It states several in different folders.
    #[error("this machine has more than one part of the product: {}", found.join(", "))]
    Several {
        /// Each part with its folder.
        found: Vec<String>,
    },
    /// What it states is no folder of this machine.
    #[error("{at} states {found:?}, a full path such as D:\\Sms is wanted")]
    NoFolder {
        /// The value.
        at: String,
        /// Its text.
        found: String,
    },
}

debug_as_shown!(Unclear);

/// Looks for every part whose folder the registry states, in the order of `roles`. An empty value states nothing.
pub fn look<'r>(registry: &dyn Registry, roles: &'r [RoleEntry]) -> Result<Vec<Installed<'r>>, HostError> {
    let mut found = Vec::new();
    for role in roles {
        let Some(at) = &role.installed else { continue };
        let text = registry.value(&at.key, &at.value)?.and_then(|value| value.as_text()).unwrap_or_default();
        if !text.trim().is_empty() {
            found.push(Installed { role, at, folder: text.trim().to_owned() });
        }
    }
    Ok(found)
}

/// Chooses the part that is meant: in this role, in this folder, as far as they are named. Of those in one folder it is the
/// first: a site server has its console in its own.
pub fn choose<'i, 'r>(
    roles: &[RoleEntry],
    installed: &'i [Installed<'r>],
    role: Option<&Role>,
    folder: Option<&Path>,
) -> Result<&'i Installed<'r>, Unclear> {
    let is_meant = |part: &&Installed<'_>| {
        role.is_none_or(|role| part.role.role == *role)
            && folder.is_none_or(|folder| is_same(&folder.to_string_lossy(), &part.folder))
    };
    let meant: Vec<&'i Installed<'r>> = installed.iter().filter(is_meant).collect();
    let Some((&first, others)) = meant.split_first() else {
        return Err(nowhere(roles));
    };
    if others.iter().any(|other| !is_same(&other.folder, &first.folder)) {
        let found = meant.iter().map(|part| format!("{} in {}", part.role.role, part.folder)).collect();
        return Err(Unclear::Several { found });
    }
    if !is_full(&first.folder) {
        return Err(Unclear::NoFolder { at: first.at.to_string(), found: first.folder.clone() });
    }
    Ok(first)
}

fn nowhere(roles: &[RoleEntry]) -> Unclear {
    let mut known = String::new();
    for entry in roles {
        if let Some(at) = &entry.installed {
            known.push_str(&format!("{}{at} for {}", if known.is_empty() { "" } else { ", " }, entry.role));
        }
    }
    Unclear::Nowhere { known }
}

/// Tells whether two paths name one folder, as far as their letters tell.
fn is_same(one: &str, other: &str) -> bool {
    let plain = |folder: &str| folder.replace('/', "\\").to_ascii_lowercase();
    let (one, other) = (plain(one), plain(other));
    one.trim_end_matches('\\') == other.trim_end_matches('\\')
}

/// Tells whether a text is a full path on a drive, without variables.
fn is_full(folder: &str) -> bool {
    let has_drive = matches!(folder.as_bytes(), [drive, b':', b'\\', ..] if drive.is_ascii_alphabetic());
    has_drive && !folder.bytes().any(|byte| byte.is_ascii_control() || b"%\"/*?<>|".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::product::Product;
    use crate::host::Memory;
    use crate::registry::{RegistryKey, RegistryValue};

    const SITE: &str = "Installation Directory";
    const CONSOLE: &str = "UI Installation Directory";

    /// What is chosen on a machine that states this, as `role in folder`, or the message.
    fn chosen(stated: &[(&str, &str)], role: Option<&str>, folder: Option<&str>) -> Result<String, String> {
        let memory = Memory::new(Path::new("/"));
        let key: RegistryKey = r"HKLM\SOFTWARE\Microsoft\SMS\Setup".parse().unwrap();
        for (name, text) in stated {
            memory.put_value(&key, name, RegistryValue::text(text));
        }
        let roles = Product::built_in().roles;
        let installed = look(&memory, &roles).unwrap();
        let role: Option<Role> = role.map(|role| role.parse().unwrap());
        match choose(&roles, &installed, role.as_ref(), folder.map(Path::new)) {
            Ok(part) => Ok(format!("{} in {}", part.role.role, part.folder)),
            Err(unclear) => Err(unclear.to_string()),
        }
    }

    #[test]
    fn one_part_is_chosen_and_of_two_in_one_folder_the_first() {
        let site = Ok(r"site-server in D:\Sms".to_owned());
        assert_eq!(chosen(&[(SITE, r"D:\Sms")], None, None), site);
        assert_eq!(chosen(&[(CONSOLE, r"d:\SMS\"), (SITE, r"D:\Sms")], None, None), site);
        assert_eq!(
            chosen(&[(SITE, ""), (CONSOLE, r" D:\Smsadmin ")], None, None).unwrap(),
            r"console in D:\Smsadmin"
        );
    }

    #[test]
    fn of_two_in_different_folders_role_or_folder_must_be_named() {
        let two = [(SITE, r"D:\Sms"), (CONSOLE, r"E:\Smsadmin")];
        let several = r"this machine has more than one part of the product: site-server in D:\Sms, console in E:\Smsadmin";
        assert_eq!(chosen(&two, None, None).unwrap_err(), several);
        assert_eq!(chosen(&two, Some("console"), None).unwrap(), r"console in E:\Smsadmin");
        assert_eq!(chosen(&two, None, Some("e:/smsadmin/")).unwrap(), r"console in E:\Smsadmin");
        let elsewhere = chosen(&two, None, Some(r"E:\Sms")).unwrap_err();
        assert!(elsewhere.contains("does not state where that part of the product is"), "{elsewhere}");
    }

    #[test]
    fn a_machine_that_states_nothing_or_no_folder_is_told_so() {
        let nothing = chosen(&[], None, None).unwrap_err();
        assert!(
            nothing.contains(r"HKLM\SOFTWARE\Microsoft\SMS\Setup 'Installation Directory' for site-server"),
            "{nothing}"
        );
        let provider = chosen(&[(SITE, r"D:\Sms")], Some("provider"), None).unwrap_err();
        assert!(provider.contains("does not state where that part of the product is"), "{provider}");
        for text in ["Sms", r"\Sms", r"\\SITE1\Sms", r"%SystemDrive%\Sms", r"D:Sms", "D:\\a\nb", "D:\\a|b"] {
            let refused = chosen(&[(SITE, text)], None, None).unwrap_err();
            assert!(refused.contains("a full path such as"), "{text}: {refused}");
        }
    }
}
