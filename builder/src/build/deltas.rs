//! The deltas of a bundle: each different pair of old and new file once, made now or by an earlier build.

use std::collections::BTreeMap;

use qfe_patcher::digest::Digest;

use super::survey::{OldFile, Survey, SurveyedFile};
use super::{BuildError, Options};
use crate::cache::{Cache, Entry, Question};
use crate::container;
use crate::delta::{Choice, EncodeError, Encoded, in_order, smallest};
use crate::progress::Progress;

/// Deltas that are worth their bytes, by old and new digest.
pub(super) type Deltas = BTreeMap<(Digest, Digest), Delta>;

/// A delta, and whether it came from the cache.
#[derive(Debug)]
pub(super) struct Delta {
    pub(super) encoded: Encoded,
    pub(super) origin: Origin,
}

/// Where a delta came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// It was encoded, and decoded once.
    Encoder,
    /// This program had made and decoded it before.
    Cache,
}

/// An old and a new file.
struct Pair<'a> {
    name: String,
    file: &'a SurveyedFile,
    old: &'a OldFile,
}

/// Makes each delta once, and keeps what is smaller than the packed payload.
pub(super) fn deltas(
    survey: &Survey,
    options: &Options<'_>,
    warnings: &mut Vec<String>,
    progress: &dyn Progress,
) -> Result<Deltas, BuildError> {
    if options.choice == Choice::Full {
        return Ok(Deltas::new());
    }
    let mut pairs = BTreeMap::new();
    for file in &survey.files {
        for old in file.baselines.iter().filter(|old| old.digest != file.digest) {
            let name = || format!("{} from {}", file.shown(), old.name);
            pairs.entry((old.digest, file.digest)).or_insert_with(|| Pair { name: name(), file, old });
        }
    }
    let pairs: Vec<Pair<'_>> = pairs.into_values().collect();
    progress.stage("making deltas", pairs.len());
    let results = in_order(&pairs, options.jobs, |pair| {
        let made = make(options.choice, options.cache, pair);
        progress.step(&pair.name);
        made
    });
    let mut kept = Deltas::new();
    for (Pair { name, file, old }, result) in pairs.iter().zip(results) {
        let (Entry { encoded, packed }, origin) = match result {
            Ok(Some(made)) => made,
            Ok(None) => continue,
            Err(BuildError::Delta { source: error @ EncodeError::TooLarge { .. }, .. }) => {
                warnings.push(format!("{name}: no delta: {error}"));
                continue;
            }
            Err(error) => return Err(error),
        };
        if (encoded.bytes.len() as u64) < packed {
            kept.insert((old.digest, file.digest), Delta { encoded, origin });
        } else {
            let found = encoded.bytes.len();
            warnings.push(format!(
                "{name}: the delta of {found} bytes is dropped, the packed file takes {packed}"
            ));
        }
    }
    if let Some(cache) = options.cache {
        cache.tidy();
        warnings.extend(cache.notes());
    }
    Ok(kept)
}

/// Takes one delta from the cache, or makes it and keeps it there.
fn make(
    choice: Choice,
    cache: Option<&Cache>,
    pair: &Pair<'_>,
) -> Result<Option<(Entry, Origin)>, BuildError> {
    let question = Question { choice, old: pair.old.digest, new: pair.file.digest };
    if let Some(entry) = cache.and_then(|cache| cache.find(&question)) {
        return Ok(Some((entry, Origin::Cache)));
    }
    let encoded = smallest(choice, &pair.old.bytes, &pair.file.bytes)
        .map_err(|source| BuildError::Delta { name: pair.name.clone(), source })?;
    let Some(encoded) = encoded else { return Ok(None) };
    let entry = Entry { encoded, packed: container::zip::packed_len(&pair.file.bytes)? };
    if let Some(cache) = cache {
        cache.keep(&question, &entry);
    }
    Ok(Some((entry, Origin::Encoder)))
}
