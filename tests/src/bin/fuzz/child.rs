//! The process that runs one target.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::abort;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use qfe_payloads::Prng;
use qfe_tests::fuzz::{Target, files};

use crate::coverage::Coverage;
use crate::memory;
use crate::mutation::mutate;
use crate::options::Bound;
use crate::parent::{folder, keep};

/// Longest time that one input may take.
const LONGEST: Duration = Duration::from_secs(20);
/// Stack of the thread that runs targets, as the builder's encoders have it.
const STACK: usize = 64 << 20;

/// Fuzzes a target; the current input is always in the file `current`.
pub(crate) fn run(target: &'static Target, current: &Path, bound: Bound, seed: u64) {
    let file = File::create(current).unwrap_or_else(|error| panic!("{}: {error}", current.display()));
    let fuzz = move || Fuzzer::new(target, file, seed).run(bound);
    let thread = thread::Builder::new().stack_size(STACK).spawn(fuzz).expect("a thread can be started");
    if thread.join().is_err() {
        std::process::exit(1);
    }
}

/// Runs one input under the same bounds.
pub(crate) fn run_once(target: &'static Target, input: Vec<u8>) -> bool {
    let once = move || Watch::start().call(target, &input);
    thread::Builder::new().stack_size(STACK).spawn(once).expect("a thread can be started").join().is_ok()
}

/// Returns the folder of what was found for a target.
pub(crate) fn found(target: &Target) -> PathBuf {
    folder().join(target.name)
}

/// Bounds what a target takes.
#[derive(Debug)]
pub(crate) struct Watch {
    began: Instant,
    /// Most bytes that an input took.
    peak: usize,
}

/// When the current input was begun, in milliseconds; 0 between inputs.
static BEGUN: AtomicU64 = AtomicU64::new(0);

impl Watch {
    /// Starts to look at the time.
    pub(crate) fn start() -> Self {
        let began = Instant::now();
        thread::spawn(move || {
            loop {
                thread::sleep(Duration::from_millis(200));
                let begun = BEGUN.load(Ordering::Relaxed);
                if begun > 0 && began.elapsed() > Duration::from_millis(begun) + LONGEST {
                    eprintln!("the input takes longer than {} s", LONGEST.as_secs());
                    abort();
                }
            }
        });
        Self { began, peak: 0 }
    }

    /// Calls a target.
    pub(crate) fn call(&mut self, target: &Target, input: &[u8]) {
        BEGUN.store(
            u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX).max(1),
            Ordering::Relaxed,
        );
        let before = memory::bound();
        (target.run)(input);
        self.peak = self.peak.max(memory::unbound() - before);
        BEGUN.store(0, Ordering::Relaxed);
    }
}

struct Fuzzer {
    target: &'static Target,
    corpus: Vec<Vec<u8>>,
    /// How many of the corpus were there before.
    known: usize,
    current: File,
    coverage: Option<Coverage>,
    random: Prng,
    watch: Watch,
    runs: u64,
}

impl Fuzzer {
    fn new(target: &'static Target, current: File, seed: u64) -> Self {
        let mut corpus = target.corpus();
        corpus.extend(files(found(target)).into_iter().filter(|input| input.len() <= target.largest));
        corpus.push(Vec::new());
        let (known, coverage) = (corpus.len(), Coverage::new());
        Self {
            target,
            corpus,
            known,
            current,
            coverage,
            random: Prng::seeded(&[&seed.to_string()]),
            watch: Watch::start(),
            runs: 0,
        }
    }

    fn run(&mut self, bound: Bound) {
        let begun = Instant::now();
        let is_over = |runs| match bound {
            Bound::Time(time) => begun.elapsed() >= time,
            Bound::Runs(most) => runs >= most,
        };
        for index in 0..self.corpus.len() {
            // What is new can be told only by who knows the whole corpus.
            if self.coverage.is_none() && is_over(self.runs) {
                break;
            }
            let input = self.corpus.get(index).cloned().unwrap_or_default();
            self.execute(&input);
        }
        while !is_over(self.runs) {
            let input = self.next();
            if self.execute(&input) {
                self.keep(input);
            }
        }
        self.tell(begun.elapsed());
    }

    /// Makes an input of one or two of the corpus; those that were found last are more likely, and the small ones.
    fn next(&mut self) -> Vec<u8> {
        let count = self.corpus.len();
        let last = if self.random.index(2) == 0 { count } else { count.min(32) };
        let mut draw = || self.corpus.get(count - 1 - self.random.index(last));
        let drawn = [draw(), draw(), draw()].into_iter().flatten().min_by_key(|input| input.len());
        let mut input = drawn.cloned().unwrap_or_default();
        let other = self.random.index(count);
        let other = self.corpus.get(other).map(Vec::as_slice).unwrap_or_default();
        mutate(&mut input, other, self.target.words, self.target.largest, &mut self.random);
        input
    }

    /// Runs an input; tells whether it reaches anything new.
    fn execute(&mut self, input: &[u8]) -> bool {
        self.runs += 1;
        note(&mut self.current, input).expect("the current input can be written");
        if let Some(coverage) = &self.coverage {
            coverage.reset();
        }
        self.watch.call(self.target, input);
        self.coverage.as_mut().is_some_and(Coverage::learn)
    }

    /// Takes an input into the corpus.
    fn keep(&mut self, input: Vec<u8>) {
        keep(&found(self.target), &input).unwrap_or_else(|error| panic!("{error}"));
        self.corpus.push(input);
    }

    fn tell(&self, time: Duration) {
        let mut told = format!(
            "{:18} {:9} runs, {:8.0} a second, at most {:4.1} MiB, corpus of {}",
            self.target.name,
            self.runs,
            self.runs as f64 / time.as_secs_f64(),
            self.watch.peak as f64 / f64::from(1 << 20),
            self.known,
        );
        if let Some(coverage) = &self.coverage {
            told += &format!(" and {} found, {} edges", self.corpus.len() - self.known, coverage.edges());
        }
        println!("{told}");
    }
}

/// Writes the current input: its length and the bytes. What a longer one left behind it is no part of it.
fn note(file: &mut File, input: &[u8]) -> io::Result<()> {
    let length = u64::try_from(input.len()).unwrap_or(u64::MAX);
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&[&length.to_le_bytes(), input].concat())
}

/// Reads what was written last; none if nothing was.
pub(crate) fn noted(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let bytes = fs::read(path)?;
    let Some((length, rest)) = bytes.split_first_chunk() else { return Ok(None) };
    let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
    Ok(rest.get(..length).map(<[u8]>::to_vec))
}
