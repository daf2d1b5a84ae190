//! An article as a page that opens anywhere: one file, no script, nothing fetched.

use super::{Block, COLUMNS, Page};
use crate::report::html::escape;

/// How it looks; what prints as well as it shows, in any browser.
const STYLE: &str = "body{font:16px/1.45 Verdana,Arial,sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#222;background:#fff}\
    h1{font-size:1.4em}h2{font-size:1.1em;border-bottom:1px solid #999}h3{font-size:1em}\
    table{border-collapse:collapse}th,td{border:1px solid #999;padding:.2em .6em;text-align:left;white-space:nowrap}\
    td.n{text-align:right}code{white-space:pre-wrap}div.t{overflow-x:auto}";

impl Page {
    /// Writes it as HTML.
    pub fn html(&self) -> String {
        let title = escaped(&format!("{}: {}", self.id, self.title));
        let mut html = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
             <h1>{title}</h1>\n"
        );
        for block in &self.blocks {
            push(&mut html, block);
        }
        html.push_str("</body>\n</html>\n");
        html
    }
}

fn push(html: &mut String, block: &Block) {
    match block {
        Block::Section(name) => html.push_str(&format!("<h2>{name}</h2>\n")),
        Block::Title(title) => html.push_str(&format!("<h3>{}</h3>\n", escaped(title))),
        Block::Paragraph(text) => html.push_str(&format!("<p>{}</p>\n", escaped(text))),
        Block::Code(text) => html.push_str(&format!("<p><code>{}</code></p>\n", escaped(text))),
        Block::Items(items) => push_items(html, items),
        Block::Steps(steps) => {
            html.push_str("<ol>\n");
            for (text, items) in steps {
                html.push_str(&format!("<li>{}", escaped(text)));
                if !items.is_empty() {
                    html.push('\n');
                    push_items(html, items);
                }
                html.push_str("</li>\n");
            }
            html.push_str("</ol>\n");
        }
        Block::Files(rows) => {
            html.push_str("<div class=\"t\"><table>\n<tr>");
            for name in COLUMNS {
                html.push_str(&format!("<th>{name}</th>"));
            }
            html.push_str("</tr>\n");
            for row in rows {
                html.push_str("<tr>");
                for (name, cell) in COLUMNS.iter().zip(row.cells()) {
                    let class = if *name == "Size" { " class=\"n\"" } else { "" };
                    html.push_str(&format!("<td{class}>{}</td>", escaped(cell)));
                }
                html.push_str("</tr>\n");
            }
            html.push_str("</table></div>\n");
        }
    }
}

fn push_items(html: &mut String, items: &[String]) {
    html.push_str("<ul>\n");
    for item in items {
        html.push_str(&format!("<li>{}</li>\n", escaped(item)));
    }
    html.push_str("</ul>\n");
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    escape(&mut escaped, text);
    escaped
}
