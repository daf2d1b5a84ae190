//! What stands around the tables: an article's head, sections, paragraphs and numbered steps.

use super::heading::Heading;
use super::html;
use super::source::{Content, Line, words};

/// The sections that articles are made of, in capitals.
const SECTIONS: [&str; 9] = [
    "SYMPTOMS",
    "CAUSE",
    "RESOLUTION",
    "WORKAROUND",
    "STATUS",
    "MORE INFORMATION",
    "SUMMARY",
    "REFERENCES",
    "INSTALLATION",
];

/// A paragraph, its lines joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Paragraph {
    /// The line where it begins.
    pub(super) line: usize,
    /// The section it is in, in capitals; nothing before the first.
    pub(super) section: String,
    /// What it is.
    pub(super) kind: Part,
    /// Its text.
    pub(super) text: String,
}

/// What a paragraph is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// A heading within a section, or a line that ends in a colon.
    Title,
    /// A step with its number.
    Step(u32),
    /// A step with its letter.
    SubStep,
    /// An element of a list.
    Item,
    /// Anything else.
    Text,
}

/// Most characters of a line that is a title.
const MAX_TITLE: usize = 100;
/// Longest paragraph, and longest line of a head, in bytes: what is longer is cut, or no such line.
const MAX_PARAGRAPH: usize = 16 << 10;
const MAX_HEAD: usize = 500;

/// Cuts an article into paragraphs.
pub(super) fn paragraphs(lines: &[Line]) -> Vec<Paragraph> {
    let mut found: Vec<Paragraph> = Vec::new();
    let mut section = String::new();
    let mut is_open = false;
    for (at, line) in lines.iter().enumerate() {
        let text = match &line.content {
            Content::Text(text) | Content::Heading(text) => text.trim(),
            Content::Cells(_) | Content::Edge => {
                is_open = false;
                continue;
            }
        };
        let plain = text.trim_start_matches('#').trim().trim_matches('*');
        let next = lines.get(at + 1).and_then(Line::text).unwrap_or_default().trim();
        let is_underlined = |c: char| next.len() >= 3 && next.chars().all(|other| other == c);
        let is_marked = matches!(line.content, Content::Heading(_)) || text.starts_with('#');
        let is_section = SECTIONS.contains(&plain.to_uppercase().as_str())
            && (is_marked || is_underlined('=') || plain.chars().all(|c| !c.is_lowercase()));
        if is_section {
            section = plain.to_uppercase();
            is_open = false;
            continue;
        }
        if text.is_empty() || text.chars().all(|c| matches!(c, '-' | '=' | ' ')) {
            is_open = false;
            continue;
        }
        let is_title = is_marked || (is_underlined('-') && Heading::of_words(&words(text)).is_none());
        let (kind, text) = match marked(text) {
            _ if is_title && plain.len() <= MAX_TITLE => (Part::Title, plain),
            Some((kind, rest)) => (kind, rest),
            None => (Part::Text, text),
        };
        match found.last_mut() {
            Some(last) if is_open && kind == Part::Text => {
                if last.text.len() + text.len() > MAX_PARAGRAPH {
                    continue;
                }
                last.text.push(' ');
                last.text.push_str(text);
            }
            _ => {
                let text = text.chars().take(MAX_PARAGRAPH).collect();
                let (line, section) = (line.number, section.clone());
                found.push(Paragraph { line, section, kind, text });
            }
        }
        is_open = kind != Part::Title;
    }
    for paragraph in &mut found {
        let text = &paragraph.text;
        if paragraph.kind == Part::Text && text.len() <= MAX_TITLE && text.ends_with(':') {
            paragraph.kind = Part::Title;
        }
    }
    found
}

/// Returns what a paragraph is by its first word, and the rest of it.
fn marked(text: &str) -> Option<(Part, &str)> {
    let (mark, rest) = text.split_once(' ')?;
    let rest = rest.trim_start();
    if matches!(mark, "-" | "*" | "\u{2022}") {
        // Pages number their steps themselves.
        return marked(rest).or(Some((Part::Item, rest)));
    }
    let label = mark.strip_suffix('.').or_else(|| mark.strip_suffix(')'))?;
    match label.parse() {
        Ok(number) if label.len() <= 2 => Some((Part::Step(number), rest)),
        _ => {
            let is_letter = label.len() == 1 && label.bytes().all(|byte| byte.is_ascii_lowercase());
            is_letter.then_some((Part::SubStep, rest))
        }
    }
}

/// What an article says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    /// Its number: `Q252717`.
    pub(super) id: Option<String>,
    /// Its title.
    pub(super) title: Option<String>,
    /// The products it applies to, as it writes them.
    pub(super) applies_to: Vec<String>,
}

/// Reads what an article says of itself.
pub(super) fn head(lines: &[Line]) -> Head {
    let mut head = Head::default();
    let mut in_products = false;
    let mut fallback: Option<String> = None;
    for line in lines.iter().take(400) {
        let Some(text) = line.text().map(str::trim).filter(|text| text.len() <= MAX_HEAD) else { continue };
        let plain = text.trim_start_matches('#').trim();
        let lower = plain.to_lowercase();
        if lower.contains("information in this article applies to")
            || lower == "applies to"
            || lower == "applies to:"
        {
            in_products = true;
            continue;
        }
        if in_products {
            match ["- ", "* ", "\u{2022} ", "\u{b7} "].iter().find_map(|mark| plain.strip_prefix(mark)) {
                Some(product) => {
                    let product = product.split(", on platform").next().unwrap_or(product);
                    // What is below it is a part of its name.
                    let is_below = line.text().is_some_and(|text| text.starts_with("    - "));
                    if !is_below {
                        head.applies_to.push(product.trim().to_owned());
                    }
                }
                None if plain.is_empty() => {}
                None => in_products = false,
            }
        }
        let labelled = |labels: &[&str]| {
            let (label, value) = plain.split_once(':')?;
            let label = label.trim().to_lowercase();
            let value = value.trim();
            let inner = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
            labels.contains(&label.as_str()).then(|| inner.unwrap_or(value).to_owned())
        };
        if let Some(value) = labelled(&[
            "document",
            "article",
            "article id",
            "article-id",
            "knowledge base article",
            "kb",
            "id",
        ]) && head.id.is_none()
        {
            head.id = number(&value);
        }
        // What a page labels so below its heading is something else.
        if let Some(value) = labelled(&["title"]).filter(|value| !value.is_empty())
            && head.title.is_none()
            && fallback.is_none()
        {
            take_title(&mut head, &value);
        }
        let is_heading = matches!(line.content, Content::Heading(_)) || text.starts_with('#');
        // A page's title may end with the name of the site, its heading does not.
        let is_better = fallback.as_ref().is_none_or(|title| is_title_of_site(title, plain));
        if is_heading && is_better && !plain.is_empty() && !SECTIONS.contains(&plain.to_uppercase().as_str())
        {
            fallback = Some(plain.to_owned());
        }
    }
    if let Some(text) = fallback.filter(|_| head.title.is_none()) {
        take_title(&mut head, &text);
    }
    if head.id.is_none() {
        head.id = lines
            .iter()
            .take(60)
            .filter_map(Line::text)
            .find_map(|text| text.split(|c: char| !c.is_ascii_alphanumeric()).find_map(number_of_word));
    }
    head
}

/// Tells whether a title is a heading with the name of a site behind it: `Heading | Site`.
fn is_title_of_site(title: &str, heading: &str) -> bool {
    let behind = title.strip_prefix(heading).unwrap_or_default().trim_start();
    !heading.is_empty() && behind.starts_with(['|', '-', '\u{2013}', '\u{2014}'])
}

/// Takes a title, and the number that stands in front of it or behind it.
fn take_title(head: &mut Head, text: &str) {
    // Titles of saved texts are at times as a page writes them: `&amp;`.
    let text = html::unescape(text);
    let (mut title, mut id) = (text.trim(), None);
    if let Some((first, rest)) = title.split_once([':', ' ', '-'])
        && let Some(found) = number_of_word(first)
    {
        (title, id) = (rest.trim_start_matches([' ', ':', '-', '\u{2013}']), Some(found));
    }
    if id.is_none()
        && let Some((front, last)) = title.rsplit_once(['(', '['])
        && let Some(found) = number(last.trim_end_matches([')', ']'])).filter(|_| !last.contains(' '))
    {
        (title, id) = (front.trim_end(), Some(found));
    }
    head.id = head.id.take().or(id);
    if !title.is_empty() {
        head.title = Some(title.split_whitespace().collect::<Vec<_>>().join(" "));
    }
}

fn number(text: &str) -> Option<String> {
    text.split(|c: char| !c.is_ascii_alphanumeric()).find_map(|word| {
        let is_number = (5..=7).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_digit());
        number_of_word(word).or_else(|| is_number.then(|| format!("Q{word}")))
    })
}

/// Returns the number of an article that a word is: `Q252717`, `KB252717`.
pub(super) fn number_of_word(word: &str) -> Option<String> {
    let digits = word
        .strip_prefix(['Q', 'q'])
        .or_else(|| word.strip_prefix("KB"))
        .or_else(|| word.strip_prefix("kb"))?;
    let digits = digits.strip_prefix('Q').unwrap_or(digits);
    let is_number = (5..=7).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| format!("Q{digits}"))
}

/// Returns the numbers of articles that a text names, each once.
pub(super) fn numbers(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for word in text.split(|c: char| !c.is_ascii_alphanumeric()) {
        if let Some(number) = number_of_word(word).filter(|number| !found.contains(number)) {
            found.push(number);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::source::lines;
    use super::*;

    fn head_of(text: &str) -> (Option<String>, Option<String>, Vec<String>) {
        let Head { id, title, applies_to } = head(&lines(text.as_bytes()).unwrap());
        (id, title, applies_to)
    }

    #[test]
    fn number_and_title_are_found_in_every_head() {
        let wanted = |products: &[&str]| {
            let products = products.iter().map(|product| (*product).to_owned()).collect();
            (Some("Q123456".to_owned()), Some("SMS: A Title".to_owned()), products)
        };
        assert_eq!(
            head_of(
                "DOCUMENT:Q123456  06-AUG-2002  [sms]\nTITLE   :SMS: A Title\n\nThe information in this article applies to:\n\n - Product \
                 version 2.0 SP1 \n\n---\n - no product\n"
            ),
            wanted(&["Product version 2.0 SP1"])
        );
        for text in [
            "---\nlayout: page\ntitle: \"Q123456: SMS: A Title\"\n---\n\tArticle: Q123456\n",
            "## Q123456: SMS: A Title\n",
            "<html><title>SMS: A Title (Q123456)</title>",
            "<html><title>Q123456: SMS: A Title | Some Site</title><h1>Site</h1><h2>Q123456: SMS: A Title</h2><p>Title: of a window",
            "<html><h1>Q123456 - SMS: A Title</h1>",
            "<html><title>SMS: A Title</title><p>Article ID: 123456</p>",
            "<html><h1>SMS: A Title</h1><p>ID: Q123456</p>",
            "<html><h1>SMS: A Title (123456)</h1>",
        ] {
            assert_eq!(head_of(text), wanted(&[]), "{text}");
        }
        assert_eq!(head_of("title: \"Q123456: A &gt; B &amp; C\"\n").1.as_deref(), Some("A > B & C"));
        assert_eq!(head_of("nothing"), (None, None, Vec::new()));
    }

    #[test]
    fn paragraphs_know_what_they_are() {
        let text = "RESOLUTION\n==========\n\nOne\ntwo.\n\nManual Installation\n-------------------\n\n1. Do\n   it.\n\n   a. So.\n\n    - x\n\n\
                    To do it:\n\nMORE INFORMATION\n\nThree.\n";
        let found = paragraphs(&lines(text.as_bytes()).unwrap());
        let found: Vec<(&str, Part, &str)> =
            found.iter().map(|part| (part.section.as_str(), part.kind, part.text.as_str())).collect();
        assert_eq!(
            found,
            [
                ("RESOLUTION", Part::Text, "One two."),
                ("RESOLUTION", Part::Title, "Manual Installation"),
                ("RESOLUTION", Part::Step(1), "Do it."),
                ("RESOLUTION", Part::SubStep, "So."),
                ("RESOLUTION", Part::Item, "x"),
                ("RESOLUTION", Part::Title, "To do it:"),
                ("MORE INFORMATION", Part::Text, "Three."),
            ]
        );
        assert_eq!(numbers("Q123456, QQ123457 and Q12."), ["Q123456", "Q123457"]);
    }
}
