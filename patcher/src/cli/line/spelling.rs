//! What somebody may have meant who wrote a word that is not known.

/// Returns the known word that is closest, if it is close enough to be meant: a third of its letters may be wrong.
pub(super) fn nearest(word: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let word = word.to_ascii_lowercase();
    known
        .map(|known| (distance(word.as_bytes(), known.as_bytes()), known))
        .filter(|(distance, known)| *distance <= (known.len() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// Counts the letters to be changed, added or left out to make one word the other (Levenshtein).
fn distance(left: &[u8], right: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, left) in left.iter().enumerate() {
        let mut diagonal = index;
        let mut before = index + 1;
        for (cell, right) in row.iter_mut().skip(1).zip(right) {
            let changed = diagonal + usize::from(left != right);
            diagonal = *cell;
            before = changed.min(before + 1).min(diagonal + 1);
            *cell = before;
        }
        if let Some(first) = row.first_mut() {
            *first = index + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_the_definition() {
        for (left, right, wanted) in
            [("", "", 0), ("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3), ("aply", "apply", 1)]
        {
            assert_eq!(distance(left.as_bytes(), right.as_bytes()), wanted, "{left} {right}");
        }
    }

    #[test]
    fn only_a_word_that_is_close_is_suggested() {
        let known = || ["target", "to", "dry-run", "site-server"].into_iter();
        for (word, wanted) in [
            ("tarjet", Some("target")),
            ("Target", Some("target")),
            ("dryrun", Some("dry-run")),
            ("site-servr", Some("site-server")),
            ("tp", Some("to")),
            ("zebra", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known()), wanted, "{word}");
        }
    }
}
