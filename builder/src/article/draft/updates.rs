//! The updates that an article names: those that it supersedes, requires, or wants beside it.

use super::super::Article;
use super::super::prose::numbers;

/// Most updates that it is taken to require or supersede.
const MAX_UPDATES: usize = 500;

impl Article {
    /// Returns the numbers of the list that follows a sentence with one of the cues.
    pub(super) fn listed_behind(&self, cues: &[&str]) -> Vec<String> {
        let mut found = Vec::new();
        let mut wait = 0;
        let mut in_list = false;
        for paragraph in &self.paragraphs {
            let lower = paragraph.text.to_lowercase();
            let is_list = paragraph.text.split_whitespace().next().is_some_and(|word| {
                numbers(word).first().is_some_and(|number| word.trim_end_matches(':') == number)
            });
            if wait > 0 && is_list {
                found.extend(numbers(&paragraph.text));
                in_list = true;
            } else if in_list {
                // The list is over; what comes behind it is about something else.
                (wait, in_list) = (0, false);
            } else {
                wait = usize::saturating_sub(wait, 1);
            }
            if cues.iter().any(|cue| lower.contains(cue)) && !in_list {
                let announces = lower.ends_with(':') || lower.contains("following");
                wait = if announces { 5 } else { 0 };
                if !announces {
                    found.extend(superseded_by_sentence(&paragraph.text));
                }
            }
        }
        self.others(found)
    }

    /// Returns the updates that must be there before, by the sentences that say so.
    pub(super) fn required(&self) -> Vec<String> {
        let mut found = Vec::new();
        for sentence in self.paragraphs.iter().flat_map(|paragraph| paragraph.text.split(". ")) {
            let lower = sentence.to_lowercase();
            let before = [
                "before you install this",
                "before you apply this",
                "before installing this",
                "before applying this",
            ]
            .iter()
            .any(|cue| lower.contains(cue));
            let must = lower.contains("must") && ["install", "apply"].iter().any(|word| lower.contains(word));
            if (before && must) || lower.contains("prerequisite") || lower.contains("you must first install")
            {
                found.extend(numbers(sentence));
            }
        }
        self.others(found)
    }

    /// Keeps each number once, and not the article's own.
    fn others(&self, numbers: Vec<String>) -> Vec<String> {
        let mut kept: Vec<String> = Vec::new();
        for number in numbers {
            let is_new = Some(&number) != self.id.as_ref() && !kept.contains(&number);
            if is_new && kept.len() < MAX_UPDATES {
                kept.push(number);
            }
        }
        kept
    }
}

/// Returns the updates that sentences such as `This fix supersedes Q123456` name.
fn superseded_by_sentence(text: &str) -> Vec<String> {
    let of_sentence = |sentence: &str| {
        let lower = sentence.to_lowercase();
        let at = ["supersedes", "replaces the"].iter().find_map(|word| Some(lower.find(word)? + word.len()));
        at.and_then(|at| lower.get(at..)).map(numbers).unwrap_or_default()
    };
    text.split(". ").flat_map(of_sentence).collect()
}
