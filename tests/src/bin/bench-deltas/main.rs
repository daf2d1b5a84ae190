//! Deltas by our codecs and by other tools: `cargo bench-deltas FOLDER [--svg FILE] [--only NAME]`.
//!
//! The folder is laid out as [`qfe_tests::corpus`] says; `--only` takes the files whose name contains NAME. For each file
//! every codec of ours, and every other tool that is installed, encodes, decodes, and is held to the new file byte for
//! byte, one after the other, each in a process of its own. Printed are the bytes of the delta and their ratio to the new
//! file, CPU per MB of the new file, and peak memory. Exits with 1 if a delta of ours fails.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it prints tables, and what failed")]

#[cfg(unix)]
mod coders;
#[cfg(unix)]
mod ours;
#[cfg(unix)]
mod plot;
#[cfg(unix)]
mod report;

#[cfg(unix)]
fn main() {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    if qfe_tests::cost::serve() || ours::serve(&arguments) {
        return;
    }
    let Some(options) = unix::Options::parse(&arguments) else {
        println!("usage: cargo bench-deltas FOLDER [--svg FILE] [--only NAME]   (pairs as for cargo corpus)");
        std::process::exit(2);
    };
    std::process::exit(unix::bench(&options));
}

#[cfg(not(unix))]
fn main() {
    println!("measuring needs getrusage, which this system does not have");
}

#[cfg(unix)]
mod unix {
    use std::ffi::OsString;
    use std::fs;
    use std::path::{Path, PathBuf};

    use qfe_tests::corpus::{self, Versions};

    use super::coders::{Coder, MADE, NEW, OLD, PATCH};
    use super::plot;
    use super::report::{File, Sample, Totals, beaten};

    /// What the command line asks for.
    pub(super) struct Options {
        folder: PathBuf,
        svg: Option<PathBuf>,
        only: String,
    }

    impl Options {
        pub(super) fn parse(arguments: &[OsString]) -> Option<Self> {
            let (folder, mut rest) = arguments.split_first()?;
            let mut options = Self { folder: folder.into(), svg: None, only: String::new() };
            while let [option, value, more @ ..] = rest {
                match option.to_str()? {
                    "--svg" => options.svg = Some(value.into()),
                    "--only" => options.only = value.to_str()?.to_owned(),
                    _ => return None,
                }
                rest = more;
            }
            rest.is_empty().then_some(options)
        }
    }

    /// Measures, prints, and returns the exit code.
    pub(super) fn bench(options: &Options) -> i32 {
        let found = files(options);
        assert!(!found.is_empty(), "{} holds no such pairs", options.folder.display());
        let scratch = tempfile::tempdir().expect("a temporary folder can be made");
        let coders = Coder::all(scratch.path());
        let (mut files, mut failed) = (Vec::new(), false);
        for (name, versions) in found {
            let [old, new] = [&versions.old, &versions.new]
                .map(|path| fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())));
            fs::write(scratch.path().join(OLD), &old).expect("a file can be written");
            fs::write(scratch.path().join(NEW), &new).expect("a file can be written");
            let mut file = File { name, old: old.len(), new: new.len(), samples: Vec::new() };
            for coder in &coders {
                match sample(coder, scratch.path(), &new) {
                    Ok(sample) => file.samples.push(sample),
                    Err(error) => {
                        failed |= coder.ours;
                        eprintln!("{}: {} failed: {error}", file.name, coder.name);
                    }
                }
            }
            println!("{file}");
            files.push(file);
        }
        let totals: Vec<Totals> =
            coders.iter().filter_map(|coder| Totals::of(&coder.name, coder.ours, &files)).collect();
        println!("{}", Totals::table(&totals));
        println!("{}", beaten(&files));
        if let Some(path) = &options.svg {
            fs::write(path, plot::draw(&totals))
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        }
        i32::from(failed)
    }

    /// The files of all pairs with the names they are told by: twins are two.
    fn files(options: &Options) -> Vec<(String, Versions)> {
        let pairs = corpus::lists(&options.folder).into_iter().flat_map(|(_, pairs)| pairs);
        let mut files = Vec::new();
        for pair in pairs {
            match pair.alpha {
                Some(alpha) => {
                    files.push((format!("{}.i386", pair.name), pair.intel));
                    files.push((format!("{}.alpha", pair.name), alpha));
                }
                None => files.push((pair.name, pair.intel)),
            }
        }
        files.retain(|(name, _)| name.contains(&options.only));
        files
    }

    /// Encodes and decodes what lies in the folder; says why if that fails or does not make the new file.
    fn sample(coder: &Coder, folder: &Path, new: &[u8]) -> Result<Sample, String> {
        for name in [PATCH, MADE] {
            drop(fs::remove_file(folder.join(name)));
        }
        let encode = coder.run(&coder.encode, folder)?;
        let decode = coder.run(&coder.decode, folder)?;
        let made = fs::read(folder.join(MADE)).map_err(|error| format!("{MADE}: {error}"))?;
        if made != new {
            return Err("the delta makes another file".to_owned());
        }
        let bytes = fs::metadata(folder.join(PATCH)).map_err(|error| format!("{PATCH}: {error}"))?.len();
        Ok(Sample { coder: coder.name.clone(), ours: coder.ours, bytes, encode, decode })
    }
}
