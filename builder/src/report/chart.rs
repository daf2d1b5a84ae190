//! Pictures of sizes: bars of inline SVG that are as wide as their column.
//!
//! Every value stands beside its bar as text, and every kind of bar has a pattern of its own: nothing is told by colour
//! alone. A bar is drawn in percent of its column, so it fits any width without scaling its text.

use super::html::{Html, element, empty, text_in};

/// What a bar stands for; each has its colour and pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A whole file, unpacked.
    Whole,
    /// A whole file, packed.
    Packed,
    /// A delta of another program.
    Generic,
    /// A delta of ours.
    Delta,
    /// What is left.
    Rest,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Whole, Self::Packed, Self::Generic, Self::Delta, Self::Rest];

    fn class(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Packed => "packed",
            Self::Generic => "generic",
            Self::Delta => "delta",
            Self::Rest => "rest",
        }
    }
}

/// A part of a bar.
#[derive(Clone, Debug)]
pub struct Part {
    /// What it stands for.
    pub kind: Kind,
    /// How much it is.
    pub value: u64,
    /// What it is called.
    pub label: String,
}

/// Share of the column, in percent, that a bar has at least: one of one byte is seen.
const LEAST: f64 = 0.35;

/// Returns a share of a whole in percent.
pub fn percent(value: u64, of: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "what is drawn is far coarser")]
    let share = |value: u64, of: u64| value as f64 * 100.0 / of as f64;
    if of == 0 { 0.0 } else { share(value, of) }
}

/// Draws parts one after the other; `scale` is what fills the column.
pub fn bar(parts: &[Part], scale: u64) -> Html {
    let label = parts.iter().map(|part| part.label.as_str()).collect::<Vec<_>>().join(", ");
    let mut at: f64 = 0.0;
    let mut shapes = vec![text_in("title", &[], &label)];
    for part in parts.iter().filter(|part| part.value > 0) {
        let width = percent(part.value, scale).max(LEAST).min((100.0 - at).max(0.0));
        let place = [
            ("class", part.kind.class().to_owned()),
            ("x", format!("{at:.2}%")),
            ("y", "0".to_owned()),
            ("width", format!("{width:.2}%")),
            ("height", "14".to_owned()),
        ];
        let place: Vec<(&'static str, &str)> =
            place.iter().map(|(key, value)| (*key, value.as_str())).collect();
        shapes.push(empty("rect", &place));
        at += width;
    }
    let attributes = [
        ("class", "bar"),
        ("width", "100%"),
        ("height", "14"),
        ("role", "img"),
        ("aria-label", label.as_str()),
    ];
    element("svg", &attributes, shapes)
}

/// A row of a chart: what it is about, its bar, and its value in words.
pub fn row(name: Html, part: &Part, scale: u64, value: Html) -> Html {
    element(
        "div",
        &[("class", "row")],
        [
            element("span", &[("class", "name")], [name]),
            bar(std::slice::from_ref(part), scale),
            element("span", &[("class", "value")], [value]),
        ],
    )
}

/// Draws the key of a chart.
pub fn legend(kinds: &[(Kind, &str)]) -> Html {
    let entry = |(kind, words): &(Kind, &str)| {
        let shape = empty("rect", &[("class", kind.class()), ("width", "14"), ("height", "14")]);
        let swatch = element(
            "svg",
            &[("class", "swatch"), ("width", "14"), ("height", "14"), ("aria-hidden", "true")],
            [shape],
        );
        element("span", &[], [swatch, Html::text(" "), Html::text(words)])
    };
    element("p", &[("class", "legend")], kinds.iter().map(entry))
}

/// Defines the patterns; once in a document that has charts.
///
/// The ground of each is its colour, the lines are of the page's, so they are seen in print too.
pub fn patterns() -> Html {
    let pattern = |kind: Kind| {
        let ground =
            element("g", &[("class", "ground")], [empty("rect", &[("width", "6"), ("height", "6")])]);
        let lines = match kind {
            Kind::Whole => "M1 1 h2 v2 h-2 z",
            Kind::Packed => "M-1 5 L5 -1 M1 7 L7 1",
            Kind::Generic => "M0 3 L6 3",
            // Often so small that a pattern would not be seen.
            Kind::Delta => "",
            Kind::Rest => "M3 0 L3 6 M0 3 L6 3",
        };
        let content = [ground, empty("path", &[("d", lines)])];
        let id = format!("p-{}", kind.class());
        let attributes = [
            ("id", id.as_str()),
            ("class", kind.class()),
            ("width", "6"),
            ("height", "6"),
            ("patternUnits", "userSpaceOnUse"),
        ];
        element("pattern", &attributes, content)
    };
    let definitions = element("defs", &[], Kind::ALL.map(pattern));
    element(
        "svg",
        &[("class", "patterns"), ("width", "0"), ("height", "0"), ("aria-hidden", "true")],
        [definitions],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(kind: Kind, value: u64) -> Part {
        Part { kind, value, label: format!("{value} bytes") }
    }

    #[test]
    fn bars_are_in_percent_and_never_wider_than_their_column() {
        let html = bar(&[part(Kind::Whole, 30), part(Kind::Delta, 20)], 100).to_string();
        assert!(
            html.contains("x=\"0.00%\" y=\"0\" width=\"30.00%\"") && html.contains("x=\"30.00%\""),
            "{html}"
        );
        assert!(html.contains("aria-label=\"30 bytes, 20 bytes\""), "{html}");
        let html = bar(&[part(Kind::Whole, 300), part(Kind::Delta, 1)], 100).to_string();
        assert!(html.contains("width=\"100.00%\"") && html.contains("width=\"0.00%\""), "{html}");
    }

    #[test]
    fn little_is_seen_and_nothing_is_not() {
        let html = bar(&[part(Kind::Delta, 1)], 1 << 40).to_string();
        assert!(html.contains("width=\"0.35%\""), "{html}");
        for scale in [0, 100] {
            assert!(!bar(&[part(Kind::Delta, 0)], scale).to_string().contains("<rect"));
        }
    }
}
