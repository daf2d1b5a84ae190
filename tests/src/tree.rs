//! Folders as values: what is in them, byte for byte, to compare before and after.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

/// Every file below a folder by its relative path, with its contents and when it was written.
pub type Tree = BTreeMap<String, (Vec<u8>, SystemTime)>;

/// Reads a folder.
pub fn read(folder: &Path) -> Tree {
    let mut tree = Tree::new();
    collect(folder, "", &mut tree);
    tree
}

/// Reads a folder without what updates leave in it by contract: their own folders, and logs.
pub fn read_product(folder: &Path) -> Tree {
    product_of(&read(folder))
}

/// Leaves out of a folder what updates leave in it by contract.
pub fn product_of(tree: &Tree) -> Tree {
    let mut tree = tree.clone();
    tree.retain(|path, _| {
        !path.starts_with("$NtUninstall") && !path.to_ascii_uppercase().starts_with("LOGS/")
    });
    tree
}

fn collect(folder: &Path, prefix: &str, tree: &mut Tree) {
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let entry = entry.expect("a folder can be listed");
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let metadata = entry.metadata().expect("a file can be looked at");
        if metadata.is_dir() {
            // Folders count, empty or not.
            tree.insert(format!("{path}/"), (Vec::new(), SystemTime::UNIX_EPOCH));
            collect(&entry.path(), &format!("{path}/"), tree);
        } else {
            let bytes = fs::read(entry.path()).expect("a file can be read");
            tree.insert(path, (bytes, metadata.modified().expect("a file has a time")));
        }
    }
}

/// Copies a folder with everything in it.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder can be made");
    for entry in fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display())) {
        let entry = entry.expect("a folder can be listed");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a file has a type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).expect("a file can be copied");
        }
    }
}
