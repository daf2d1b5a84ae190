//! Deltas that an earlier build has made: a folder of entries, each named by everything that its content follows from.
//!
//! ```text
//! offset  size  what
//!      0     8   "QFEDELTA"
//!      8    64   seal
//!     72     1   codec: 0 bsdiff, 1 exe
//!     73     8   bytes that the new file takes packed, little-endian
//!     81   ...   the delta
//! ```
//!
//! An entry is found by the digests of old and new file, by which codecs were tried, and by the digest of the builder
//! program itself: another encoder, decoder or format is another program, and nobody has to remember to raise a number.
//!
//! The seal is a MAC (BLAKE2b, keyed) over all of that and the entry's content, made with a secret that follows from the
//! key that signs the bundle. An entry is believed only if it is right. So rot, a torn write, an entry under another's
//! name and one that somebody else has put there are all the same, no entry; and whoever can make one that is believed
//! can sign a bundle without it. That is why a delta that comes from here need not be decoded again: this program has
//! done so with these very bytes, or it would not have sealed them.
//!
//! Nothing here can fail a build. Entries are written beside their place and renamed, never synced: what a power cut
//! tears has no seal. Builds at the same time write the same bytes under the same name. Where the folder has grown
//! beyond its limit, the entries that were not used for longest go.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use blake2::Blake2bMac512;
use blake2::digest::{KeyInit, Mac};

use qfe_patcher::bundle::manifest::MAX_MEMBER;
use qfe_patcher::delta::Codec;
use qfe_patcher::digest::Digest;

use crate::delta::{Choice, Encoded};
use crate::sign::SigningKey;

/// The first bytes of an entry.
const MAGIC: &[u8; 8] = b"QFEDELTA";
/// Bytes of the seal.
const SEAL: usize = 64;
/// How the names of entries end.
const ENDING: &str = "delta";
/// How the names of entries end while they are written.
const UNFINISHED: &str = "partial";
/// Bytes that all entries may have together: those of some thousand deltas of usual size.
const LIMIT: u64 = 256 << 20;
/// How long an unfinished entry may be another build's that is just writing it.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);

/// What an entry is about.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    /// Which codecs are tried.
    pub choice: Choice,
    /// The old file.
    pub old: Digest,
    /// The new file.
    pub new: Digest,
}

/// What became of a pair of files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The smallest delta; it has been decoded.
    pub encoded: Encoded,
    /// How many bytes the new file takes packed.
    pub packed: u64,
}

/// A folder of entries, as one program sees it for one key.
pub struct Cache {
    folder: PathBuf,
    program: Digest,
    secret: [u8; 64],
    now: SystemTime,
    limit: u64,
    notes: Mutex<BTreeSet<String>>,
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cache({})", self.folder.display())
    }
}

impl Cache {
    /// Takes a folder, which need not exist; `program` is the digest of the program that runs.
    pub fn new(folder: &Path, program: Digest, key: &SigningKey, now: SystemTime) -> Self {
        let secret = key.derive("seal of cached deltas");
        Self { folder: folder.to_owned(), program, secret, now, limit: LIMIT, notes: Mutex::default() }
    }

    /// Returns the entry, if there is one with the right seal.
    pub fn find(&self, question: &Question) -> Option<Entry> {
        let path = self.path(question);
        let entry = match read(&path) {
            Ok(bytes) => self.open(question, &bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            // Below a file, which keeping will tell.
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => return None,
            Err(error) => {
                self.note(format!("{} cannot be read ({error}), so its delta is made anew", path.display()));
                return None;
            }
        };
        match entry {
            Some(_) => self.touch(&path),
            None => self.note(format!(
                "{} is damaged, or was made by somebody else: its delta is made anew",
                path.display()
            )),
        }
        entry
    }

    /// Writes an entry, in the place of one that cannot be believed.
    pub fn keep(&self, question: &Question, entry: &Entry) {
        if let Err(error) = self.write(question, entry) {
            let folder = self.folder.display();
            self.note(format!(
                "{folder} cannot be written ({error}), so the next build makes its deltas again"
            ));
        }
    }

    /// Removes the entries that were not used for longest, until all are within the limit; and what killed builds left.
    pub fn tidy(&self) {
        let Ok(listing) = fs::read_dir(&self.folder) else { return };
        let mut entries = Vec::new();
        for entry in listing.flatten() {
            let path = entry.path();
            let Ok(metadata) = entry.metadata() else { continue };
            let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            match path.extension().and_then(|ending| ending.to_str()) {
                Some(ENDING) if metadata.is_file() => entries.push((used, path, metadata.len())),
                Some(UNFINISHED) if self.now.duration_since(used).is_ok_and(|age| age > ABANDONED) => {
                    // Another build may have been faster.
                    drop(fs::remove_file(path));
                }
                _ => {}
            }
        }
        entries.sort();
        let mut all: u64 = entries.iter().map(|(_, _, len)| len).sum();
        for (_, path, len) in entries {
            if all <= self.limit {
                break;
            }
            if fs::remove_file(path).is_ok() {
                all -= len;
            }
        }
    }

    /// Returns what the release engineer should know, each once.
    pub fn notes(&self) -> Vec<String> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    fn note(&self, note: String) {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).insert(note);
    }

    /// Everything that the content of an entry follows from.
    fn name(&self, Question { choice, old, new }: &Question) -> String {
        format!("deltas of {choice:?} by {} from {old} to {new}\n", self.program)
    }

    /// The path tells keys apart, too, so that those who share a folder do not replace each other's entries.
    fn path(&self, question: &Question) -> PathBuf {
        let sealed = self.seal(question, &[]).finalize().into_bytes();
        self.folder.join(format!("{}.{ENDING}", Digest::of(&sealed)))
    }

    fn seal(&self, question: &Question, content: &[u8]) -> Blake2bMac512 {
        let mut mac = Blake2bMac512::new(&self.secret.into());
        mac.update(self.name(question).as_bytes());
        mac.update(content);
        mac
    }

    /// Opens an entry whose seal is right.
    fn open(&self, question: &Question, bytes: &[u8]) -> Option<Entry> {
        let (seal, content) = bytes.strip_prefix(MAGIC)?.split_at_checked(SEAL)?;
        self.seal(question, content).verify_slice(seal).ok()?;
        let (codec, rest) = content.split_first()?;
        let (packed, delta) = rest.split_first_chunk()?;
        let codec = Codec::ALL.into_iter().find(|known| number(*known) == *codec)?;
        let encoded = Encoded { codec, bytes: delta.to_vec() };
        Some(Entry { encoded, packed: u64::from_le_bytes(*packed) })
    }

    fn write(&self, question: &Question, entry: &Entry) -> io::Result<()> {
        let mut content = vec![number(entry.encoded.codec)];
        content.extend(entry.packed.to_le_bytes());
        content.extend(&entry.encoded.bytes);
        let seal = self.seal(question, &content).finalize().into_bytes();
        create_private(&self.folder)?;
        let path = self.path(question);
        let unfinished = path.with_extension(format!("{}.{UNFINISHED}", std::process::id()));
        let mut file = match OpenOptions::new().write(true).create_new(true).open(&unfinished) {
            // On another machine a build of the same number is writing the same entry.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
            file => file?,
        };
        let written = [MAGIC.as_slice(), &seal, &content].iter().try_for_each(|part| file.write_all(part));
        drop(file);
        written.and_then(|()| fs::rename(&unfinished, &path)).inspect_err(|_| {
            // What cannot be removed either goes when it is old.
            drop(fs::remove_file(&unfinished));
        })
    }

    /// Notes that the entry was used; where that cannot be noted it goes sooner than it might.
    fn touch(&self, path: &Path) {
        drop(OpenOptions::new().append(true).open(path).and_then(|file| file.set_modified(self.now)));
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        self.secret.fill(0);
        std::hint::black_box(&self.secret);
    }
}

/// The number of a codec in entries.
fn number(codec: Codec) -> u8 {
    match codec {
        Codec::Bsdiff => 0,
        Codec::Exe => 1,
    }
}

/// Reads an entry whole; what is no file, or larger than any delta, is not looked at.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let limit = MAX_MEMBER + 1024;
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() || metadata.len() > limit {
        return Ok(Vec::new());
    }
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Makes a folder and those above it, for its owner alone: deltas tell what was fixed before the update is out.
fn create_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign::NewKey;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn key() -> SigningKey {
        SigningKey::read("k", &NewKey::generate(None).unwrap().secret, &[]).unwrap()
    }

    fn question(number: u8) -> Question {
        Question { choice: Choice::Auto, old: Digest::of(&[number]), new: Digest::of(b"new") }
    }

    fn entry(len: usize) -> Entry {
        Entry { encoded: Encoded { codec: Codec::Exe, bytes: vec![b'Q'; len] }, packed: 1 << 40 }
    }

    #[test]
    fn an_answer_belongs_to_its_question_program_and_key() {
        let temp = tempfile::tempdir().unwrap();
        let (one, now) = (key(), SystemTime::UNIX_EPOCH);
        let cache = |program: &[u8], key: &SigningKey| Cache::new(temp.path(), Digest::of(program), key, now);
        let ours = cache(b"program", &one);
        for (number, codec) in Codec::ALL.into_iter().enumerate() {
            let entry = Entry { encoded: Encoded { codec, bytes: vec![7; number] }, packed: 9 };
            ours.keep(&question(1), &entry);
            assert_eq!(ours.find(&question(1)), Some(entry));
        }
        let other = Question { choice: Choice::Only(Codec::Exe), ..question(1) };
        let turned = Question { choice: Choice::Auto, old: question(1).new, new: question(1).old };
        assert_eq!((ours.find(&question(2)), ours.find(&other), ours.find(&turned)), (None, None, None));
        assert_eq!(cache(b"a better program", &one).find(&question(1)), None);
        assert_eq!(cache(b"program", &key()).find(&question(1)), None);
        assert_eq!(ours.notes(), [""; 0]);
    }

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let temp = tempfile::tempdir().unwrap();
        let key = key();
        let at = |days: u32| {
            let now = SystemTime::UNIX_EPOCH + DAY * days;
            let mut cache = Cache::new(temp.path(), Digest::of(b"program"), &key, now);
            cache.limit = 5000;
            cache
        };
        for number in 1..=4 {
            let cache = at(number.into());
            cache.keep(&question(number), &entry(1500));
            // Its time is that of the disk until it is used.
            assert!(cache.find(&question(number)).is_some());
        }
        at(5).find(&question(1)).unwrap();
        fs::write(temp.path().join("notes.txt"), [0; 9000]).unwrap();
        at(6).tidy();
        let left = |number| at(6).find(&question(number)).is_some();
        assert_eq!([left(1), left(2), left(3), left(4)], [true, false, true, true]);
        assert!(temp.path().join("notes.txt").exists(), "what is no entry is let alone");
    }

    #[test]
    fn what_a_killed_build_left_goes_after_a_day() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("0123.77.partial");
        fs::write(&path, b"QFED").unwrap();
        let written = fs::metadata(&path).unwrap().modified().unwrap();
        for (age, is_left) in [(DAY / 2, true), (DAY * 2, false)] {
            Cache::new(temp.path(), Digest::of(b"program"), &key(), written + age).tidy();
            assert_eq!(path.exists(), is_left);
        }
    }
}
