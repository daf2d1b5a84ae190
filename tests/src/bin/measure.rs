//! Size, memory and CPU of both programs on the Q252717 sample, and on an update of 36 MB: `cargo measure`.
//!
//! Prints the tables of the README. Applying is held against copying the same files with a backup by hand
//! (`cp -p` and `sync`), and the large update against a script that decodes the same deltas, too; run in turns with
//! it. Medians of several runs; CPU is user and system time.
#![expect(clippy::print_stdout, reason = "it prints a table")]

#[cfg(unix)]
fn main() {
    if !qfe_tests::cost::serve() {
        unix::measure();
    }
}

#[cfg(not(unix))]
fn main() {
    println!("measuring needs getrusage, which this system does not have");
}

#[cfg(unix)]
mod unix {
    use std::ffi::OsString;
    use std::fs;
    use std::path::Path;
    use std::process::Command;

    use qfe_tests::args;
    use qfe_tests::cost::Cost;
    use qfe_tests::programs::{builder, folder, program};
    use qfe_tests::tree;

    const RUNS: usize = 7;

    fn cost(command: &[OsString]) -> Cost {
        Cost::of(command, Path::new(".")).unwrap_or_else(|error| panic!("{error}"))
    }

    fn median(mut costs: Vec<Cost>) -> Cost {
        let mut middle = |value: fn(&Cost) -> f64| {
            costs.sort_by(|a, b| value(a).total_cmp(&value(b)));
            costs.get(costs.len() / 2).map_or(0.0, value)
        };
        let (cpu_ms, elapsed_ms) = (middle(|cost| cost.cpu_ms), middle(|cost| cost.elapsed_ms));
        Cost { cpu_ms, elapsed_ms, peak_kb: costs.iter().map(|cost| cost.peak_kb).fold(0.0, f64::max) }
    }

    fn row(name: &str, cost: Cost) {
        println!(
            "| {name} | {:.0} ms | {:.0} ms | {:.1} MB |",
            cost.cpu_ms,
            cost.elapsed_ms,
            cost.peak_kb / 1024.0
        );
    }

    pub(super) fn measure() {
        folder();
        let scratch = tempfile::tempdir_in(".").expect("a temporary folder can be made");
        let path = |name: &str| scratch.path().join(name);
        qfe_payloads::generate(&path("samples"), &["Q252717"], |_| {}).expect("samples can be written");
        builder(args!["keygen", "--secret", path("k"), "--public", path("k.pub"), "--no-password"])
            .succeeds();
        let sample = path("samples/Q252717");

        println!("| what | bytes |\n|---|---|");
        for name in ["qfe-patcher", "qfe-builder"] {
            println!("| {name} ({}) | {} |", std::env::consts::ARCH, size(&program(name)));
        }
        let build = |output: &str, more: &[&str]| {
            let recipe = sample.join("update.toml");
            let mut args =
                args![program("qfe-builder"), "build", recipe, "--key", path("k"), "--output", path(output),]
                    .to_vec();
            args.extend(more.iter().map(Into::into));
            args
        };
        let builds = (0..3).map(|_| cost(&build("Q252717.zip", &["--no-cache"]))).collect();
        cost(&build("Q252717.cab", &["--no-cache"]));
        cost(&build("lean.zip", &["--no-cache", "--lean"]));
        println!("| files of the update, both platforms | {} |", folder_size(&sample.join("update")));
        for name in ["Q252717.zip", "Q252717.cab", "lean.zip"] {
            println!("| {name} | {} |", size(&path(name)));
        }

        println!("\n| run | CPU | elapsed | peak memory |\n|---|---|---|---|");
        row("build, both platforms", median(builds));
        for platform in ["i386", "alpha"] {
            let (mut ours, mut lean, mut by_hand) = (Vec::new(), Vec::new(), Vec::new());
            for _ in 0..RUNS {
                ours.push(apply(scratch.path(), platform, "Q252717.zip"));
                lean.push(apply(scratch.path(), platform, "lean.zip"));
                by_hand.push(copy_by_hand(scratch.path(), platform));
            }
            row(&format!("apply, {platform}"), median(ours));
            row(&format!("apply of the lean bundle, {platform}"), median(lean));
            row(&format!("copy with backup by hand, {platform}"), median(by_hand));
        }
        measure_rebuild(scratch.path());
        measure_large(scratch.path());
    }

    /// Files of the update that is built again: as many as the largest of the articles has, Q250850.
    const ROLLUP: usize = 24;

    /// Measures what the cache of deltas saves: the first build of a rollup, then builds with one file changed each.
    fn measure_rebuild(scratch: &Path) {
        let update = scratch.join("rollup");
        let [old, new] = ["baseline", "update"].map(|tree| update.join(tree).join("i386"));
        write_parts(&scratch.join("samples/Q252717"), &old, &new, &[746_000; ROLLUP]);
        write_recipe(&update, "ROLLUP", "Twenty-four files");
        let build = |more: &[OsString]| {
            let (recipe, key, output) =
                (update.join("update.toml"), scratch.join("k"), scratch.join("r.zip"));
            let args = args![program("qfe-builder"), "build", recipe, "--key", key, "--output", output];
            cost(&[&args, more].concat())
        };
        let cache = args!["--cache", scratch.join("deltas")];
        let first = median((0..3).map(|_| build(&args!["--no-cache"])).collect());
        build(&cache);
        let again = median((0..RUNS).map(|_| build(&cache)).collect());
        let changed = (0..RUNS).map(|number| {
            let path = new.join(part_name(number));
            let mut bytes = fs::read(&path).expect("it was just written");
            bytes.truncate(bytes.len() - 1 - number);
            fs::write(&path, bytes).expect("a file can be written");
            build(&cache)
        });
        let changed = median(changed.collect());
        println!(
            "\n| build of {ROLLUP} files, {} bytes | CPU | elapsed | peak memory |\n|---|---|---|---|",
            folder_size(&new)
        );
        row("without a cache", first);
        row("again, nothing changed", again);
        row("again, one file changed", changed);
        println!(
            "| ratio | {:.3} | {:.3} | |",
            changed.cpu_ms / first.cpu_ms,
            changed.elapsed_ms / first.elapsed_ms
        );
    }

    /// The sizes of the large update: those of Q324204, 15 files of which two have 11 and 4 MB.
    const LARGE: [usize; 15] = [
        11_803_408, 4_263_936, 2_400_000, 2_200_000, 2_000_000, 1_900_000, 1_800_000, 1_700_000, 1_600_000,
        1_500_000, 1_400_000, 1_200_000, 1_000_000, 800_000, 700_000,
    ];

    /// Measures the cost of the transaction on an update of 36 MB for one platform, from its deltas.
    fn measure_large(scratch: &Path) {
        let update = scratch.join("large");
        let [old, new] = ["baseline", "update"].map(|tree| update.join(tree).join("i386"));
        write_parts(&scratch.join("samples/Q252717"), &old, &new, &LARGE);
        write_recipe(&update, "LARGE", "Fifteen files");
        let bundle = scratch.join("LARGE.zip");
        let args = args![
            "build",
            update.join("update.toml"),
            "--key",
            scratch.join("k"),
            "--output",
            bundle,
            "--lean",
            "--no-cache"
        ];
        builder(args).succeeds();
        let deltas = update.join("deltas");
        fs::create_dir_all(&deltas).expect("a folder can be made");
        for number in 0..LARGE.len() {
            let name = part_name(number);
            builder(args![
                "delta",
                old.join(&name),
                new.join(&name),
                "--output",
                deltas.join(&name),
                "--codec",
                "bsdiff"
            ])
            .succeeds();
        }
        let (mut ours, mut by_script) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            large_server(scratch, &old);
            ours.push(cost(&apply_args(scratch, "LARGE.zip")));
            large_server(scratch, &old);
            by_script.push(cost(&script_args(scratch, &deltas)));
        }
        let (ours, by_script) = (median(ours), median(by_script));
        println!(
            "\n| update of {} files, {} bytes | CPU | elapsed | peak memory |\n|---|---|---|---|",
            LARGE.len(),
            LARGE.iter().sum::<usize>()
        );
        row("apply", ours);
        row("script: decode, back up, write, sync", by_script);
        println!(
            "| ratio | {:.2} | {:.2} | |",
            ours.cpu_ms / by_script.cpu_ms,
            ours.elapsed_ms / by_script.elapsed_ms
        );
    }

    fn part_name(number: usize) -> String {
        format!("File{number:02}.bin")
    }

    /// Writes the recipe of an update for Intel whose files are in `update` and `baseline`.
    fn write_recipe(folder: &Path, id: &str, title: &str) {
        let recipe = format!(
            "id = '{id}'\ntitle = '{title}'\nrevision = 1\nproduct = 'Systems Management Server 2.0'\nbuilds = [1380]\n\
             [payload]\ni386 = 'update/i386'\n[[baseline]]\nname = 'old'\ni386 = 'baseline/i386'\n"
        );
        fs::write(folder.join("update.toml"), recipe).expect("a file can be written");
    }

    /// Writes files of these sizes whose old and new contents are those of the sample's, one after the other.
    fn write_parts(sample: &Path, old: &Path, new: &Path, sizes: &[usize]) {
        let read = |tree: &str| {
            tree::read(&sample.join(tree)).into_values().map(|(bytes, _)| bytes).collect::<Vec<_>>()
        };
        let (olds, news) = (read("baseline"), read("update"));
        for folder in [old, new] {
            fs::create_dir_all(folder).expect("a folder can be made");
        }
        for (number, size) in sizes.iter().enumerate() {
            for (folder, files) in [(old, &olds), (new, &news)] {
                let parts = files.iter().cycle().skip(number);
                // A counter in every part keeps them from being the same.
                let bytes: Vec<u8> = parts
                    .enumerate()
                    .flat_map(|(part, bytes)| {
                        (part * 31 + number).to_le_bytes().into_iter().chain(bytes.iter().copied())
                    })
                    .take(*size)
                    .collect();
                fs::write(folder.join(part_name(number)), bytes).expect("a file can be written");
            }
        }
    }

    fn large_server(scratch: &Path, old: &Path) {
        let server = scratch.join("server");
        drop(fs::remove_dir_all(&server));
        tree::copy(old, &server.join("Bin/i386"));
        Command::new("sync").status().expect("sync runs");
    }

    /// What does the same as an apply without its journal: decode, back up, write, sync.
    fn script_args(scratch: &Path, deltas: &Path) -> Vec<OsString> {
        let script = "mkdir \"$1/backup\" && for delta in \"$2\"/*; do file=${delta##*/}; \
                      cp -p \"$1/Bin/i386/$file\" \"$1/backup\" && sync \"$1/backup/$file\" && \
                      \"$3\" delta \"$1/Bin/i386/$file\" \"$delta\" --output \"$1/new\" -q && sync \"$1/new\" && \
                      mv \"$1/new\" \"$1/Bin/i386/$file\" || exit 1; done; sync \"$1/Bin/i386\" \"$1/backup\"";
        args!["sh", "-c", script, "sh", scratch.join("server"), deltas, program("qfe-patcher")].to_vec()
    }

    fn server(scratch: &Path, platform: &str) {
        let server = scratch.join("server");
        drop(fs::remove_dir_all(&server));
        tree::copy(
            &scratch.join("samples/Q252717/baseline").join(platform),
            &server.join("Bin").join(platform),
        );
        // What was just copied shall not be written back during the measurement.
        Command::new("sync").status().expect("sync runs");
    }

    fn apply(scratch: &Path, platform: &str, bundle: &str) -> Cost {
        server(scratch, platform);
        cost(&apply_args(scratch, bundle))
    }

    fn apply_args(scratch: &Path, bundle: &str) -> Vec<OsString> {
        args![
            program("qfe-patcher"),
            "apply",
            scratch.join(bundle),
            "--role",
            "site-server",
            "--target",
            scratch.join("server"),
            "--keys",
            scratch.join("k.pub"),
            "--services",
            "none",
            "--assume-build",
            "1380"
        ]
        .to_vec()
    }

    /// What the article asks of an admin, with the files extracted before and every copy synced.
    fn copy_by_hand(scratch: &Path, platform: &str) -> Cost {
        server(scratch, platform);
        let script = "mkdir \"$1/backup\" && cp -p \"$1/Bin/$3/\"* \"$1/backup\" && sync \"$1/backup\"/* && \
                      cp \"$2/update/$3/\"* \"$1/Bin/$3\" && sync \"$1/Bin/$3\"/*";
        let sample = scratch.join("samples/Q252717");
        cost(&args!["sh", "-c", script, "sh", scratch.join("server"), sample, platform])
    }

    fn size(path: &Path) -> u64 {
        fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).len()
    }

    fn folder_size(folder: &Path) -> usize {
        tree::read(folder).values().map(|(bytes, _)| bytes.len()).sum()
    }
}
