//! The builder on Windows.

use std::fs;

use qfe_patcher::exit::ExitCode;
use qfe_tests::args;
use qfe_tests::samples::workshop;
use qfe_tests::wine::{Bits, Machine};

#[test]
fn a_bundle_built_on_windows_has_the_bytes_of_one_built_here() {
    for bits in Bits::ALL {
        let Some(machine) = Machine::start(bits) else { return };
        for ending in ["zip", "cab"] {
            let recipe = Machine::path(&workshop().sample("Q252717").join("update.toml"));
            let (key, output) =
                (Machine::path(&workshop().path("vendor.key")), format!(r"C:\Q252717.{ending}"));
            machine.builder(args!["build", recipe, "--key", key, "--output", output]).ends(ExitCode::Success);
            let built = fs::read(machine.disk(&format!("Q252717.{ending}"))).unwrap();
            assert!(
                built == fs::read(workshop().path(&format!("Q252717.{ending}"))).unwrap(),
                "{bits:?} {ending}"
            );
        }
    }
}
