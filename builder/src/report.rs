//! Reports: one HTML file each that needs nothing from outside, for a browser or for paper.
//!
//! [`html`] makes markup, [`chart`] draws; the folder has one file for each report. Pages are readable without colour, in
//! light and dark, on narrow screens and in print. What they show may come from a bundle of which nothing is believed: every
//! text goes through [`html::Html::text`].

pub mod chart;
mod compare;
pub mod html;
mod inspect;

pub use compare::compare_page;
pub use inspect::inspect_page;

use crate::shown::link_time;
use html::{Html, element, text_in};

/// How every report looks.
const STYLE: &str = include_str!("report/style.css");

/// Makes a page of a head line, what it is about, and its sections.
fn page(kind: &str, title: &str, lead: Html, sections: impl IntoIterator<Item = Html>) -> String {
    let heading = element("h1", &[], [text_in("small", &[], kind), Html::text(title)]);
    let header = element("header", &[], [heading, lead]);
    let footer = element(
        "footer",
        &[],
        [Html::text(
            "Made by qfe-builder from what the bundle says of itself. Signatures are not checked here: that is the \
             business of qfe-patcher verify.",
        )],
    );
    let body = [chart::patterns(), header, element("main", &[], sections), footer];
    html::document(&format!("{title} - {kind}"), STYLE, body)
}

/// Makes a section with its heading; none if it has no content.
fn section(title: &str, content: impl IntoIterator<Item = Html>) -> Html {
    let content = Html::join(content);
    if content.is_empty() {
        return content;
    }
    element("section", &[], [text_in("h2", &[], title), content])
}

/// Makes a figure with what it shows in words.
fn figure(caption: &str, content: impl IntoIterator<Item = Html>) -> Html {
    let caption = text_in("figcaption", &[], caption);
    element("figure", &[], std::iter::once(caption).chain(content))
}

/// Makes a list of names and values.
fn facts(facts: impl IntoIterator<Item = (&'static str, Html)>) -> Html {
    let fact = |(name, value): (&'static str, Html)| {
        element("div", &[], [text_in("dt", &[], name), element("dd", &[], [value])])
    };
    element("dl", &[("class", "facts")], facts.into_iter().map(fact))
}

/// Makes a list of items; none of no item.
fn bullets(name: &'static str, items: impl IntoIterator<Item = Html>) -> Html {
    let items = Html::join(items.into_iter().map(|item| element("li", &[], [item])));
    if items.is_empty() { items } else { element(name, &[], [items]) }
}

/// Makes a table that scrolls sideways where it is too wide.
fn table(heads: &[&str], bodies: impl IntoIterator<Item = Html>) -> Html {
    let heads = heads.iter().map(|head| text_in("th", &[("scope", "col")], head));
    let head = element("thead", &[], [element("tr", &[], heads)]);
    let table = element("table", &[], std::iter::once(head).chain(bodies));
    element("div", &[("class", "scroll"), ("tabindex", "0")], [table])
}

/// Makes a part of a table with a title of its own.
fn part(title: &str, columns: usize, rows: impl IntoIterator<Item = Html>) -> Html {
    let columns = columns.to_string();
    let title = text_in("th", &[("colspan", columns.as_str()), ("scope", "rowgroup")], title);
    let title = element("tr", &[], [title]);
    element("tbody", &[], std::iter::once(title).chain(rows))
}

fn td(content: Html) -> Html {
    element("td", &[], [content])
}

fn row_head(text: &str) -> Html {
    text_in("th", &[("scope", "row")], text)
}

fn small(text: &str) -> Html {
    text_in("small", &[], text)
}

fn code(text: &str) -> Html {
    text_in("code", &[], text)
}

fn paragraph(class: &str, text: &str) -> Html {
    text_in("p", &[("class", class)], text)
}

/// Writes a number with its thousands apart.
fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn bytes(value: u64) -> String {
    format!("{} {}", number(value), if value == 1 { "byte" } else { "bytes" })
}

/// Writes a share with as many decimals as it needs to say something.
fn share(value: u64, of: u64) -> String {
    let percent = chart::percent(value, of);
    if percent >= 9.95 || percent <= 0.0 { format!("{percent:.0} %") } else { format!("{percent:.1} %") }
}

/// Writes a linker's time stamp as a day.
fn day(stamp: u32) -> String {
    link_time(stamp).split('T').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        for (value, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (11_803_408, "11,803,408")] {
            assert_eq!(number(value), text);
        }
        assert_eq!((bytes(1).as_str(), bytes(2).as_str()), ("1 byte", "2 bytes"));
        for (value, of, text) in
            [(1, 3, "33 %"), (1, 30, "3.3 %"), (0, 5, "0 %"), (5, 0, "0 %"), (3, 2, "150 %")]
        {
            assert_eq!(share(value, of), text);
        }
        assert_eq!(day(949_056_540), "2000-01-28");
    }

    #[test]
    fn the_style_sheet_is_no_markup_and_names_nothing_outside() {
        assert!(!STYLE.contains(['<', '&']) && !STYLE.contains("@import"));
        for (at, _) in STYLE.match_indices("url(") {
            assert!(STYLE[at..].starts_with("url(#p-"));
        }
    }
}
