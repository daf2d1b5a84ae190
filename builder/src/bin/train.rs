//! For developers of the codec: `train --output FILE [--folds N] [--rounds N] FOLDER...`
//!
//! Trains the initial state of exe deltas on folders of pairs, `NAME/old` and `NAME/new`, files or folders of files. With
//! folds it tells first what training on the others is worth for each fold.

#![expect(clippy::print_stdout, reason = "a developer's program, with nothing else to say it")]

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Parser;

use qfe_builder::delta::exe::training::{Example, measure, train};
use qfe_delta::start::Start;

/// Trains the initial state of exe deltas
#[derive(Debug, Parser)]
struct Args {
    /// Folders of pairs
    #[arg(required = true)]
    folders: Vec<PathBuf>,
    /// Where what was found is written
    #[arg(long)]
    output: Option<PathBuf>,
    /// Measure on pairs that were left out, so many times
    #[arg(long, default_value_t = 0)]
    folds: usize,
    /// How often training begins again from what it found
    #[arg(long, default_value_t = 3)]
    rounds: u32,
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    let mut examples = Vec::new();
    for folder in &args.folders {
        read(folder, &mut examples)?;
    }
    let all: Vec<&Example> = examples.iter().collect();
    if args.folds > 0 {
        cross_validate(&all, args.folds, args.rounds)?;
    }
    if let Some(output) = &args.output {
        let file = train(&all, args.rounds)?;
        println!("{}: {} bytes", output.display(), file.len());
        fs::write(output, file)?;
    }
    Ok(())
}

/// Reads the pairs of a folder in the order of their names.
fn read(folder: &Path, examples: &mut Vec<Example>) -> io::Result<()> {
    for pair in list(folder)? {
        let name = pair.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (old, new) = (pair.join("old"), pair.join("new"));
        let base = name.rsplit('-').next().unwrap_or(&name);
        let family = base.split('.').next().unwrap_or(base).trim_end_matches(|c: char| c.is_ascii_digit());
        let mut push = |group: &str, old: &Path, new: &Path| -> io::Result<()> {
            let (old, new) = (fs::read(old)?, fs::read(new)?);
            examples.push(Example { family: family.to_owned(), group: group.to_owned(), old, new });
            Ok(())
        };
        if new.is_file() {
            push("files", &old, &new)?;
        } else if new.is_dir() {
            for file in list(&new)? {
                let Some(file_name) = file.file_name().filter(|name| old.join(name).is_file()) else {
                    continue;
                };
                let shown = file_name.to_string_lossy();
                let group = shown.split_once('.').map_or("", |(_, kind)| kind);
                push(group, &old.join(file_name), &file)?;
            }
        }
    }
    Ok(())
}

fn list(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut all = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    all.sort();
    Ok(all)
}

/// Prints for each group what its deltas come to, untrained and trained on other families.
fn cross_validate(all: &[&Example], folds: usize, rounds: u32) -> io::Result<()> {
    let mut families: Vec<&str> = all.iter().map(|example| example.family.as_str()).collect();
    families.sort_unstable();
    families.dedup();
    let fold =
        |example: &Example| families.iter().position(|family| *family == example.family).unwrap_or(0) % folds;
    let mut totals = BTreeMap::<&str, [(usize, f64); 2]>::new();
    let mut pairs = BTreeMap::<&str, u32>::new();
    for number in 0..folds {
        let (held, others): (Vec<&Example>, Vec<&Example>) =
            all.iter().partition(|example| fold(example) == number);
        let start = Start::new(train(&others, rounds)?);
        let sizes = [measure(&held, &Start::default())?, measure(&held, &start)?];
        for (index, example) in held.iter().enumerate() {
            *pairs.entry(&example.group).or_default() += 1;
            for (total, sizes) in totals.entry(&example.group).or_default().iter_mut().zip(&sizes) {
                let size = sizes.get(index).copied().unwrap_or(0);
                total.0 += size;
                total.1 += (size as f64 / example.new.len() as f64).ln();
            }
            println!(
                "{number} {} {}: {:?}",
                example.group,
                example.family,
                sizes.each_ref().map(|sizes| sizes.get(index))
            );
        }
    }
    for (group, totals) in totals {
        let count = f64::from(pairs.get(group).copied().unwrap_or(1));
        for (state, (bytes, logarithms)) in ["untrained", "trained"].into_iter().zip(totals) {
            println!("{group}, {state}: {bytes} bytes, geometric mean {:.5}", (logarithms / count).exp());
        }
    }
    Ok(())
}
