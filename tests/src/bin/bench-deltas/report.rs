//! What was measured, as tables.

use std::fmt::{self, Write as _};

use qfe_tests::cost::Cost;

/// One coder's delta of one file.
pub(super) struct Sample {
    pub(super) coder: String,
    pub(super) ours: bool,
    pub(super) bytes: u64,
    pub(super) encode: Cost,
    pub(super) decode: Cost,
}

/// A file and its deltas.
pub(super) struct File {
    pub(super) name: String,
    pub(super) old: usize,
    pub(super) new: usize,
    pub(super) samples: Vec<Sample>,
}

impl fmt::Display for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {} bytes -> {}", self.name, self.old, self.new)?;
        writeln!(f, "{}", head())?;
        for sample in &self.samples {
            let row = Row {
                coder: &sample.coder,
                bytes: sample.bytes,
                ratio: ratio(sample.bytes, self.new),
                encode: per_mb(sample.encode.cpu_ms, self.new),
                decode: per_mb(sample.decode.cpu_ms, self.new),
                peaks: [sample.encode, sample.decode].map(|cost| cost.peak_kb),
            };
            writeln!(f, "{row}")?;
        }
        Ok(())
    }
}

/// One coder's deltas of all files.
pub(super) struct Totals {
    pub(super) coder: String,
    pub(super) ours: bool,
    /// Files that it encoded and decoded.
    files: usize,
    bytes: u64,
    new: usize,
    /// The geometric mean of delta by new file.
    pub(super) mean: f64,
    encode_ms: f64,
    decode_ms: f64,
    peaks: [f64; 2],
}

impl Totals {
    /// Adds up what one coder did; nothing if it failed on every file.
    pub(super) fn of(coder: &str, ours: bool, files: &[File]) -> Option<Self> {
        let mut totals = Self {
            coder: coder.to_owned(),
            ours,
            files: 0,
            bytes: 0,
            new: 0,
            mean: 0.0,
            encode_ms: 0.0,
            decode_ms: 0.0,
            peaks: [0.0; 2],
        };
        for file in files {
            let Some(sample) = file.samples.iter().find(|sample| sample.coder == coder) else {
                continue;
            };
            totals.files += 1;
            totals.bytes += sample.bytes;
            totals.new += file.new;
            totals.mean += ratio(sample.bytes, file.new).ln();
            totals.encode_ms += sample.encode.cpu_ms;
            totals.decode_ms += sample.decode.cpu_ms;
            let [encode, decode] = totals.peaks;
            totals.peaks = [encode.max(sample.encode.peak_kb), decode.max(sample.decode.peak_kb)];
        }
        totals.mean = (totals.mean / totals.files as f64).exp();
        (totals.files > 0).then_some(totals)
    }

    /// CPU seconds of decoding by MB of new files.
    pub(super) fn decode(&self) -> f64 {
        per_mb(self.decode_ms, self.new)
    }

    /// The table of all.
    pub(super) fn table(all: &[Self]) -> String {
        let mut text = format!("total\n{}  files  geometric mean of patch/new\n", head());
        for totals in all {
            let row = Row {
                coder: &totals.coder,
                bytes: totals.bytes,
                ratio: ratio(totals.bytes, totals.new),
                encode: per_mb(totals.encode_ms, totals.new),
                decode: totals.decode(),
                peaks: totals.peaks,
            };
            writeln!(text, "{row}  {:5}  {:.5}", totals.files, totals.mean).expect("a string takes all");
        }
        text
    }
}

/// Tells on which files another tool's delta is smaller than the smallest of ours.
pub(super) fn beaten(files: &[File]) -> String {
    let mut lines = Vec::new();
    for file in files {
        let smallest = |ours: bool| {
            file.samples.iter().filter(|sample| sample.ours == ours).min_by_key(|sample| sample.bytes)
        };
        if let (Some(ours), Some(theirs)) = (smallest(true), smallest(false))
            && theirs.bytes < ours.bytes
        {
            let (name, coder) = (&file.name, &theirs.coder);
            lines.push(format!("  {name}: {coder} {} bytes, {} {}", theirs.bytes, ours.coder, ours.bytes));
        }
    }
    match lines.len() {
        0 => "on no file is another tool's delta smaller than ours".to_owned(),
        count => format!("another tool's delta is smaller than ours on {count} files:\n{}", lines.join("\n")),
    }
}

struct Row<'a> {
    coder: &'a str,
    bytes: u64,
    ratio: f64,
    encode: f64,
    decode: f64,
    peaks: [f64; 2],
}

impl fmt::Display for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [encode, decode] = self.peaks.map(|kb| kb / 1024.0);
        write!(
            f,
            "  {:12} {:9} {:>9.5} {:11.3} {:11.3} {encode:10.1} {decode:10.1}",
            self.coder, self.bytes, self.ratio, self.encode, self.decode
        )
    }
}

fn head() -> String {
    format!(
        "  {:12} {:>9} {:>9} {:>11} {:>11} {:>10} {:>10}",
        "codec", "bytes", "patch/new", "encode s/MB", "decode s/MB", "encode MiB", "decode MiB"
    )
}

/// Of an empty file's delta as of a file's of one byte: a mean needs a number.
fn ratio(bytes: u64, new: usize) -> f64 {
    bytes as f64 / new.max(1) as f64
}

/// CPU seconds by 1,000,000 bytes.
fn per_mb(cpu_ms: f64, new: usize) -> f64 {
    cpu_ms * 1e3 / new.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const COST: Cost = Cost { cpu_ms: 1.0, elapsed_ms: 1.0, peak_kb: 1.0 };

    fn file(name: &str, ours: u64, theirs: u64) -> File {
        let sample = |coder: &str, ours, bytes| Sample {
            coder: coder.to_owned(),
            ours,
            bytes,
            encode: COST,
            decode: COST,
        };
        let samples = vec![sample("qfe exe", true, ours), sample("zstd", false, theirs)];
        File { name: name.to_owned(), old: 1000, new: 1000, samples }
    }

    #[test]
    fn the_mean_is_geometric_and_times_are_by_new_bytes() {
        let files = [file("a", 10, 10), file("b", 1000, 10)];
        let totals = Totals::of("qfe exe", true, &files).unwrap();
        assert!((totals.mean - 0.1).abs() < 1e-9, "{}", totals.mean);
        assert!((totals.decode() - 1.0).abs() < 1e-9, "{}", totals.decode());
        assert!(Totals::of("qfe exe", true, &[]).is_none());
    }

    #[test]
    fn files_on_which_another_tool_is_smaller_are_named() {
        let told = beaten(&[file("won", 10, 11), file("even", 10, 10), file("lost", 11, 10)]);
        assert!(told.contains("lost: zstd 10 bytes, qfe exe 11"), "{told}");
        assert!(!told.contains("won") && !told.contains("even"), "{told}");
    }
}
