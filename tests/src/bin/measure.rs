//! Size, memory and CPU of both programs on the Q252717 sample: `cargo measure`.
//!
//! Prints the table of the README. Applying is held against copying the same files with a backup by hand
//! (`cp -p` and `sync`), run in turns with it. Medians of several runs; CPU is user and system time.
#![expect(clippy::print_stdout, reason = "it prints a table")]

#[cfg(unix)]
fn main() {
    if let Some(command) = std::env::args_os().skip(1).collect::<Vec<_>>().strip_prefix(&["--child".into()]) {
        unix::child(command);
        return;
    }
    unix::measure();
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
    use std::process::{Command, Stdio};
    use std::time::Instant;

    use nix::sys::resource::{UsageWho, getrusage};
    use nix::sys::time::TimeValLike;
    use qfe_tests::args;
    use qfe_tests::programs::{builder, folder, program};
    use qfe_tests::tree;

    const RUNS: usize = 7;

    /// What one run of a program took.
    #[derive(Clone, Copy)]
    struct Cost {
        cpu_ms: f64,
        elapsed_ms: f64,
        peak_kb: f64,
    }

    /// Runs a command in this process, which does nothing else, and prints what it took.
    pub(super) fn child(command: &[OsString]) {
        let [name, args @ ..] = command else { panic!("a command is wanted") };
        let start = Instant::now();
        let status = Command::new(name).args(args).stdout(Stdio::null()).stderr(Stdio::null()).status();
        let elapsed = start.elapsed();
        assert!(status.is_ok_and(|status| status.success()), "{command:?} failed");
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the system counts");
        let cpu = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
        println!("{cpu} {} {}", elapsed.as_micros(), usage.max_rss());
    }

    fn cost(command: &[OsString]) -> Cost {
        let own = std::env::current_exe().expect("a process knows its program");
        let output = Command::new(own).arg("--child").args(command).output().expect("it runs");
        let text = String::from_utf8(output.stdout).expect("it prints numbers");
        let numbers: Vec<f64> = text.split_whitespace().filter_map(|number| number.parse().ok()).collect();
        match numbers.as_slice() {
            [cpu, elapsed, peak] => Cost { cpu_ms: cpu / 1e3, elapsed_ms: elapsed / 1e3, peak_kb: *peak },
            _ => panic!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)),
        }
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
                args![program("qfe-builder"), "build", recipe, "--key", path("k"), "--output", path(output)]
                    .to_vec();
            args.extend(more.iter().map(Into::into));
            args
        };
        let builds = (0..3).map(|_| cost(&build("Q252717.zip", &[]))).collect();
        cost(&build("Q252717.cab", &[]));
        cost(&build("lean.zip", &["--lean"]));
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
        cost(&args![
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
        ])
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
