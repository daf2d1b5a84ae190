//! The builder on Windows.

use std::fs;
use std::path::Path;

use qfe_patcher::digest::Digest;
use qfe_patcher::exit::ExitCode;
use qfe_tests::args;
use qfe_tests::samples::{Server, workshop};
use qfe_tests::wine::{Bits, Machine};

fn digest(path: &Path) -> Digest {
    Digest::of(&fs::read(path).unwrap())
}

#[test]
fn a_bundle_built_on_windows_has_the_bytes_of_one_built_here() {
    for bits in Bits::ALL {
        let Some(machine) = Machine::start(bits) else { return };
        for ending in ["zip", "cab"] {
            let recipe = Machine::path(&workshop().sample("Q252717").join("update.toml"));
            let (key, output) =
                (Machine::path(&workshop().path("vendor.key")), format!(r"C:\Q252717.{ending}"));
            machine.builder(args!["build", recipe, "--key", key, "--output", output]).ends(ExitCode::Success);
            let built = machine.disk(&format!("Q252717.{ending}"));
            let own = workshop().path(&format!("Q252717.{ending}"));
            assert_eq!(digest(&built), digest(&own), "{bits:?} {ending}");
            // And not because nothing was compared.
            let server = Server::new("i386");
            assert_eq!(server.apply(&built).succeeds().json()["outcome"], "changed");
        }
    }
}
