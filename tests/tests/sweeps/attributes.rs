//! What a file is besides its contents: permissions, owner, time, and other names.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

use crate::lab::Lab;
use crate::site::{Site, old_time};
use qfe_tests::samples::tiny;

/// Returns permissions, owner and group of a file.
fn ownership(path: &Path) -> (u32, u32, u32) {
    let metadata = fs::metadata(path).unwrap();
    (metadata.mode() & 0o7777, metadata.uid(), metadata.gid())
}

#[test]
fn a_replaced_file_keeps_permissions_and_owner_and_after_rollback_its_time() {
    Lab::open(&[], |lab| {
        let modes = [0o640, 0o444, 0o400, 0o000, 0o755, 0o2755, 0o4755, 0o666];
        for mode in modes {
            let site = Site::tiny(lab.path(&format!("server-{mode:o}")));
            let file = site.file("One.ini");
            chown(&file, Some(1234), Some(1234)).unwrap();
            fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
            site.apply().succeeds();
            assert_eq!(fs::read(&file).unwrap(), tiny().new["One.ini"]);
            assert_eq!(ownership(&file), (mode, 1234, 1234), "after apply, {mode:o}");
            site.rollback().succeeds();
            assert_eq!(fs::read(&file).unwrap(), tiny().old["One.ini"]);
            assert_eq!(ownership(&file), (mode, 1234, 1234), "after rollback, {mode:o}");
            assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), old_time());
        }
        println!("{} permissions kept", modes.len());
    });
}

#[test]
fn another_name_of_an_old_file_keeps_the_old_contents() {
    Lab::open(&[], |lab| {
        let site = Site::tiny(lab.path("server"));
        let other = lab.path("other name of One.ini");
        fs::hard_link(site.file("One.ini"), &other).unwrap();
        site.apply().succeeds();
        assert_eq!(fs::read(&other).unwrap(), tiny().old["One.ini"]);
        assert_eq!(fs::read(site.file("One.ini")).unwrap(), tiny().new["One.ini"]);
        fs::write(&other, "its own from now on").unwrap();
        site.rollback().succeeds();
        assert_eq!(fs::read(site.file("One.ini")).unwrap(), tiny().old["One.ini"]);
        assert_eq!(fs::read(&other).unwrap(), b"its own from now on");
    });
}
