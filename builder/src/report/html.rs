//! Markup that is well formed by construction, as HTML and as XML: every text is escaped when it becomes markup.

use std::fmt::{self, Display};

/// A piece of markup.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Html(String);

/// Attributes of an element: names are the program's own, values may be anybody's.
pub type Attributes<'a> = &'a [(&'static str, &'a str)];

impl Html {
    /// Makes markup of a text.
    pub fn text(text: impl Display) -> Self {
        let mut html = String::new();
        escape(&mut html, &text.to_string());
        Self(html)
    }

    /// Puts pieces one after the other.
    pub fn join(pieces: impl IntoIterator<Item = Self>) -> Self {
        Self(pieces.into_iter().map(|piece| piece.0).collect())
    }

    /// Tells whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Display for Html {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Makes an element with its end.
pub fn element(
    name: &'static str,
    attributes: Attributes<'_>,
    content: impl IntoIterator<Item = Html>,
) -> Html {
    let mut html = opened(name, attributes);
    html.push('>');
    html.extend(content.into_iter().map(|piece| piece.0));
    html.push_str("</");
    html.push_str(name);
    html.push('>');
    Html(html)
}

/// Makes an element that has no content, such as `meta` or the shapes of SVG.
pub fn empty(name: &'static str, attributes: Attributes<'_>) -> Html {
    let mut html = opened(name, attributes);
    html.push_str(" />");
    Html(html)
}

/// Makes an element that holds a text.
pub fn text_in(name: &'static str, attributes: Attributes<'_>, text: impl Display) -> Html {
    element(name, attributes, [Html::text(text)])
}

/// Makes a style sheet of the program's own.
///
/// Its text goes in as it is, for HTML does not unescape there: it must hold neither `<` nor `&`.
pub fn style(sheet: &'static str) -> Html {
    debug_assert!(!sheet.contains(['<', '&']), "a style sheet is no markup");
    element("style", &[], [Html(sheet.to_owned())])
}

/// Makes a whole document.
///
/// Nothing outside is ever fetched: besides holding no address, the document forbids it by its policy.
pub fn document(title: &str, sheet: &'static str, body: impl IntoIterator<Item = Html>) -> String {
    let head = [
        empty("meta", &[("charset", "utf-8")]),
        empty(
            "meta",
            &[
                ("http-equiv", "Content-Security-Policy"),
                ("content", "default-src 'none'; style-src 'unsafe-inline'"),
            ],
        ),
        empty("meta", &[("name", "viewport"), ("content", "width=device-width, initial-scale=1")]),
        empty("meta", &[("name", "color-scheme"), ("content", "light dark")]),
        text_in("title", &[], title),
        style(sheet),
    ];
    let html = element("html", &[("lang", "en")], [element("head", &[], head), element("body", &[], body)]);
    format!("<!DOCTYPE html>\n{html}\n")
}

fn opened(name: &str, attributes: Attributes<'_>) -> String {
    let mut html = format!("<{name}");
    for (key, value) in attributes {
        html.push(' ');
        html.push_str(key);
        html.push_str("=\"");
        escape(&mut html, value);
        html.push('"');
    }
    html
}

/// Escapes what has a meaning in markup, and replaces what no document may hold or what would turn the order of the text
/// around it.
pub(crate) fn escape(html: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            '\n' | '\t' => html.push(c),
            '\u{fffe}' | '\u{ffff}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                html.push('\u{fffd}')
            }
            c if c.is_control() => html.push('\u{fffd}'),
            c => html.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_values_are_escaped() {
        let hostile = "</p><script>alert(\"1\")</script>&'\u{0}\u{202e}";
        let html = element("p", &[("title", hostile)], [Html::text(hostile)]).to_string();
        assert_eq!(html.matches('<').count(), 2, "{html}");
        assert_eq!(html.matches('"').count(), 2, "{html}");
        let escaped = "&lt;/p&gt;&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;\u{fffd}\u{fffd}";
        assert_eq!(html, format!("<p title=\"{escaped}\">{escaped}</p>"));
    }

    #[test]
    fn a_document_says_what_it_is_and_forbids_what_is_outside() {
        let text = document("<t>", "p { color: red }", [empty("br", &[])]);
        assert!(
            text.starts_with("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\" />"),
            "{text}"
        );
        assert!(
            text.contains("default-src &#39;none&#39;") && text.contains("<title>&lt;t&gt;</title>"),
            "{text}"
        );
        assert!(text.ends_with("<body><br /></body></html>\n"), "{text}");
    }
}
