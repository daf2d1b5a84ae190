//! Saved pages: what HTML shows, as lines.
//!
//! Not a browser: it knows what ends a line, what keeps blanks (`PRE`), what is a cell, and what is not shown. Pages of the
//! time are no good HTML: what is open at the end is closed, what is no tag is text (`<Platform>`). A table that
//! holds other tables or long texts is there for the layout, and its cells are read one after the other; any other becomes rows
//! of cells, a cell that spans rows or columns standing in each of them.

mod tag;

use super::source::{Content, Line, MAX_LINES, SourceError};
pub(super) use tag::unescape;
use tag::{BLOCKS, Tag, hidden_end, span};

/// Most cells of a row, most rows that a cell spans, and most bytes of a cell that is one of a table's.
const MAX_CELLS: usize = 64;
const MAX_SPAN: usize = 1000;
const MAX_CELL: usize = 2000;
/// Most bytes that spanning cells are repeated for, of a whole page.
const MAX_REPEATED: usize = 1 << 20;

/// Tags that only a table for the layout has in its cells.
const LAYOUT: &[&str] =
    &["table", "pre", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl", "hr", "xmp", "listing"];

/// Tells whether a text is a page: by how it begins, or by the tags in it, unless it begins as the text of an article does, which
/// may speak of tags.
pub(super) fn is_page(text: &str) -> bool {
    const STARTS: [&str; 6] = ["<!doctype", "<html", "<head", "<body", "<?xml", "<!--"];
    const MARKS: [&str; 10] =
        ["<html", "<body", "</html>", "</body>", "</table>", "</pre>", "</td>", "</p>", "</h1>", "</h2>"];
    const LABELS: [&str; 3] = ["document", "title", "article"];
    let first: String = text.trim_start().chars().take(16).collect::<String>().to_ascii_lowercase();
    if STARTS.iter().any(|tag| first.starts_with(tag)) {
        return true;
    }
    if first.split_once(':').is_some_and(|(label, _)| LABELS.contains(&label.trim_end())) {
        return false;
    }
    let lower = text.to_ascii_lowercase();
    MARKS.iter().any(|tag| lower.contains(tag))
}

/// Reads the lines of a page.
pub(super) fn lines(text: &str) -> Result<Vec<Line>, SourceError> {
    let mut page = Page::default();
    let mut rest = text;
    let mut number = 1;
    while let Some(at) = rest.find('<') {
        let (before, tagged) = rest.split_at(at);
        page.text(before, number);
        number += newlines(before);
        let (tag, length) = Tag::read(tagged);
        let (taken, behind) = tagged.split_at(length);
        match tag {
            Tag::Open { name, attributes } => page.open(&name, attributes, number),
            Tag::Close { name } => page.close(&name, number),
            Tag::Ignored => {}
            Tag::Text => page.text(taken, number),
        }
        number += newlines(taken);
        rest = behind;
        if let Tag::Open { name, .. } = Tag::read(taken).0
            && let Some(end) = hidden_end(&name, rest)
        {
            let (hidden, behind) = rest.split_at(end);
            number += newlines(hidden);
            rest = behind;
        }
        if page.lines.len() > MAX_LINES {
            return Err(SourceError::TooManyLines);
        }
    }
    page.text(rest, number);
    Ok(page.end(number))
}

fn newlines(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}

/// A page as far as it has been read.
#[derive(Default)]
struct Page {
    lines: Vec<Line>,
    /// The line that is being written, and where it began.
    open: String,
    number: usize,
    /// How many `PRE` are open.
    kept: usize,
    heading: bool,
    tables: Vec<Table>,
    repeated: usize,
}

/// A table that is open.
#[derive(Default)]
struct Table {
    is_layout: bool,
    rows: Vec<(usize, Vec<Cell>)>,
    /// Whether a cell is open: the last of the last row.
    in_cell: bool,
}

#[derive(Default)]
struct Cell {
    text: String,
    columns: usize,
    rows: usize,
}

impl Page {
    fn text(&mut self, text: &str, number: usize) {
        let mut number = number;
        for (at, part) in text.split('\n').enumerate() {
            if at > 0 {
                number += 1;
                if self.kept > 0 {
                    self.end_line(number);
                } else {
                    self.push_blank();
                }
            }
            let part = part.trim_end_matches('\r');
            if part.is_empty() {
                continue;
            }
            let part = unescape(part);
            if self.open_cell().is_none() && self.open.is_empty() {
                self.number = number;
            }
            for c in part.chars() {
                if self.kept == 0 && c.is_ascii_whitespace() {
                    self.push_blank();
                } else {
                    self.push(c);
                }
            }
        }
    }

    /// Returns the text of the cell into which text goes now.
    fn open_cell(&mut self) -> Option<&mut String> {
        let table = self.tables.last_mut().filter(|table| !table.is_layout)?;
        if !table.in_cell {
            return None;
        }
        table.rows.last_mut()?.1.last_mut().map(|cell| &mut cell.text)
    }

    fn push(&mut self, c: char) {
        match self.open_cell() {
            Some(cell) => cell.push(c),
            None => self.open.push(c),
        }
    }

    /// Writes the one blank that any number of them are.
    fn push_blank(&mut self) {
        let text = match self.open_cell() {
            Some(cell) => cell,
            None => &mut self.open,
        };
        if !text.is_empty() && !text.ends_with([' ', '\n']) {
            text.push(' ');
        }
    }

    /// Ends the line, though nothing may stand in it, where `next` begins.
    fn end_line(&mut self, next: usize) {
        if let Some(cell) = self.open_cell() {
            cell.push('\n');
            return;
        }
        let text = std::mem::take(&mut self.open).trim_end().replace('\u{a0}', " ");
        let number = if self.number == 0 { next } else { self.number };
        let content = if self.heading { Content::Heading(text) } else { Content::Text(text) };
        self.lines.push(Line { number, content });
        self.number = next;
    }

    /// Ends the line if something stands in it.
    fn end_text(&mut self, next: usize) {
        if self.open_cell().is_some() || !self.open.trim().is_empty() {
            self.end_line(next);
        }
        self.open.clear();
        self.number = next;
    }

    /// Ends a paragraph: nothing stands in the line behind it.
    fn end_paragraph(&mut self, next: usize) {
        self.end_text(next);
        if self.open_cell().is_none() && self.lines.last().is_some_and(|line| !line.is_blank()) {
            self.lines.push(Line { number: next, content: Content::Text(String::new()) });
        }
    }

    fn open(&mut self, name: &str, attributes: &str, number: usize) {
        if LAYOUT.contains(&name) && self.open_cell().is_some() {
            self.spread(number);
        }
        match name {
            "br" => self.end_line(number),
            "table" => {
                self.end_paragraph(number);
                self.tables.push(Table::default());
            }
            "tr" => {
                if self.tables.last().is_some_and(|table| table.is_layout) {
                    self.end_paragraph(number);
                } else if let Some(table) = self.tables.last_mut() {
                    table.in_cell = false;
                    table.rows.push((number, Vec::new()));
                }
            }
            "td" | "th" => {
                if self.tables.last().is_none_or(|table| table.is_layout) {
                    self.end_paragraph(number);
                } else if let Some(table) = self.tables.last_mut() {
                    if table.rows.is_empty() {
                        table.rows.push((number, Vec::new()));
                    }
                    if let Some((_, row)) = table.rows.last_mut() {
                        let columns = span(attributes, "colspan").min(MAX_CELLS);
                        let rows = span(attributes, "rowspan").min(MAX_SPAN);
                        row.push(Cell { text: String::new(), columns, rows });
                        table.in_cell = true;
                    }
                }
            }
            "pre" | "xmp" | "listing" => {
                self.end_paragraph(number);
                self.kept += 1;
            }
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "title" => {
                self.end_paragraph(number);
                self.heading = true;
            }
            "li" => {
                self.end_text(number);
                self.text("- ", number);
            }
            "div" | "dd" | "dt" | "option" => self.end_text(number),
            name if BLOCKS.contains(&name) => self.end_paragraph(number),
            _ => {}
        }
    }

    fn close(&mut self, name: &str, number: usize) {
        match name {
            "table" => {
                self.end_paragraph(number);
                self.end_table(number);
            }
            "td" | "th" => {
                if let Some(table) = self.tables.last_mut().filter(|table| !table.is_layout) {
                    table.in_cell = false;
                } else {
                    self.end_text(number);
                }
            }
            "pre" | "xmp" | "listing" => {
                self.end_paragraph(number);
                self.kept = self.kept.saturating_sub(1);
            }
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "title" => {
                self.end_paragraph(number);
                self.heading = false;
            }
            "div" | "li" | "dd" | "dt" | "option" => self.end_text(number),
            name if BLOCKS.contains(&name) => self.end_paragraph(number),
            _ => {}
        }
    }

    /// Takes the open table for one of the layout: its cells become text.
    fn spread(&mut self, number: usize) {
        let Some(table) = self.tables.last_mut() else { return };
        table.is_layout = true;
        table.in_cell = false;
        let rows = std::mem::take(&mut table.rows);
        self.spread_rows(rows, number);
    }

    fn spread_rows(&mut self, rows: Vec<(usize, Vec<Cell>)>, next: usize) {
        for (number, row) in rows {
            for cell in row {
                for line in cell.text.split('\n').filter(|line| !line.trim().is_empty()) {
                    let text = line.trim_end().replace('\u{a0}', " ");
                    self.lines.push(Line { number, content: Content::Text(text) });
                }
                self.end_paragraph(next);
            }
        }
    }

    fn end_table(&mut self, number: usize) {
        let Some(table) = self.tables.pop() else { return };
        if table.is_layout {
            return;
        }
        let widest = table.rows.iter().map(|(_, row)| row.len()).max().unwrap_or(0);
        let is_large = |cell: &Cell| cell.text.len() > MAX_CELL;
        if !(2..=MAX_CELLS).contains(&widest) || table.rows.iter().any(|(_, row)| row.iter().any(is_large)) {
            self.spread_rows(table.rows, number);
            return;
        }
        self.lines.push(Line { number, content: Content::Edge });
        let mut spanning: Vec<Option<(String, usize)>> = vec![None; MAX_CELLS];
        for (number, row) in table.rows {
            let mut cells = Vec::new();
            let mut row = row.into_iter();
            for over in &mut spanning {
                if let Some((text, rows)) =
                    over.take_if(|(text, _)| self.repeated + text.len() < MAX_REPEATED)
                {
                    self.repeated += text.len();
                    cells.push(text.clone());
                    *over = (rows > 1).then_some((text, rows - 1));
                    continue;
                }
                *over = None;
                let Some(cell) = row.next() else { break };
                let text = cell.text.replace('\u{a0}', " ");
                if cell.rows > 1 {
                    *over = Some((text.clone(), cell.rows - 1));
                }
                cells.push(text);
                // What spans columns leaves the others of them empty.
                cells.extend((1..cell.columns).map(|_| String::new()));
            }
            cells.extend(row.map(|cell| cell.text.replace('\u{a0}', " ")));
            cells.truncate(MAX_CELLS);
            self.push_rows(number, &cells);
        }
        self.lines.push(Line { number, content: Content::Edge });
    }

    /// Writes a row, or those that its cells show, each with as many lines.
    fn push_rows(&mut self, number: usize, cells: &[String]) {
        let parts: Vec<Vec<&str>> = cells
            .iter()
            .map(|cell| cell.split('\n').map(str::trim).filter(|part| !part.is_empty()).collect())
            .collect();
        let heights: Vec<usize> = parts.iter().map(Vec::len).filter(|height| *height > 0).collect();
        let height = heights.first().copied().unwrap_or(0);
        let stands_in_rows = height > 1 && heights.len() > 1 && heights.iter().all(|other| *other == height);
        let rows = if stands_in_rows { height } else { usize::from(height > 0) };
        for at in 0..rows {
            let cell = |part: &Vec<&str>| match stands_in_rows {
                true => part.get(at).copied().unwrap_or_default().to_owned(),
                false => part.join(" "),
            };
            let content = Content::Cells(parts.iter().map(cell).collect());
            self.lines.push(Line { number, content });
        }
    }

    fn end(mut self, number: usize) -> Vec<Line> {
        while !self.tables.is_empty() {
            self.end_table(number);
        }
        self.end_text(number);
        self.lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(page: &str) -> Vec<String> {
        let lines = lines(page).unwrap();
        let show = |line: &Line| match &line.content {
            Content::Text(text) => text.clone(),
            Content::Heading(text) => format!("# {text}"),
            Content::Cells(cells) => format!("|{}|", cells.join("|")),
            Content::Edge => "--".to_owned(),
        };
        lines.iter().filter(|line| !line.is_blank() || line.content == Content::Edge).map(show).collect()
    }

    #[test]
    fn text_is_folded_and_pre_is_kept() {
        let page = "<html><title>T</title><body><h2>A &amp; B</h2><p>one\n two<br>three&nbsp;&nbsp;x<script>no();</script>\
                    <pre>  a   b\n\n c &lt;x> <Platform></pre><ul><li>p<li>q</ul></body>";
        assert_eq!(
            shown(page),
            ["# T", "# A & B", "one two", "three  x", "  a   b", " c <x> <Platform>", "- p", "- q"]
        );
    }

    #[test]
    fn tables_are_rows_of_cells_and_layout_is_not() {
        let page = "<table><tr><td>menu</td><td><p>text<table><tr><th>a<th>b</tr><tr><td rowspan=2>1<td>2</td></tr>\
                    <tr><td>3</table>behind</td></tr></table>";
        assert_eq!(shown(page), ["menu", "text", "--", "|a|b|", "|1|2|", "|1|3|", "--", "behind"]);
        assert_eq!(
            shown("<table><tr><td colspan=2>x<td>y</tr><tr><td>1<br>2<td>3<br>4</tr></table>"),
            ["--", "|x||y|", "|1|3|", "|2|4|", "--"]
        );
        assert_eq!(shown("<table><tr><td><pre>a  b\nc</pre></table>"), ["a  b", "c"]);
    }

    #[test]
    fn lines_have_the_numbers_of_the_file() {
        let lines =
            lines("<html>\n<pre>\na\nb</pre>\n<table>\n<tr><td>x\n<td>y\n<tr><td>z<td>w</table>").unwrap();
        let numbers: Vec<(usize, bool)> = lines
            .iter()
            .filter(|line| !line.is_blank())
            .map(|line| (line.number, matches!(line.content, Content::Cells(_))))
            .collect();
        assert_eq!(numbers, [(3, false), (4, false), (6, true), (8, true)]);
    }

    #[test]
    fn an_article_that_speaks_of_tags_is_no_page() {
        assert!(!is_page("DOCUMENT:Q123456  x\nTITLE   :A\n\nThe </body> tag is missing.\n"));
        assert!(is_page("A fragment:<p>x</p>") && is_page(" <HTML><p>Title: x"));
    }

    #[test]
    fn broken_pages_are_text_as_far_as_they_are() {
        for page in [
            "<",
            "<p",
            "<table><td",
            "</table></pre></td>",
            "<p a=\"x",
            "<!-- x",
            "<script>x",
            "&#x110000;&#0;&x;",
        ] {
            drop(lines(page).unwrap());
        }
        assert_eq!(shown("<p>a &lt b &unknown; &#65; &#150;"), ["a < b &unknown; A \u{2013}"]);
    }
}
