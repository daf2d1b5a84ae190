//! An article as plain text, in the layout of the Knowledge Base.

use super::super::draft::wrapped;
use super::{Block, COLUMNS, FileRow, Page};

/// Columns of a line of prose.
const WIDTH: usize = 80;

impl Page {
    /// Writes it as plain text.
    pub fn text(&self) -> String {
        let mut text = format!("DOCUMENT:{}\nTITLE   :{}\n\n{}\n", self.id, self.title, "=".repeat(70));
        for block in &self.blocks {
            text.push('\n');
            push(&mut text, block);
        }
        text
    }
}

fn push(text: &mut String, block: &Block) {
    match block {
        Block::Section(name) => text.push_str(&format!("{name}\n{}\n", "=".repeat(name.len()))),
        Block::Title(title) => {
            text.push_str(&format!("{title}\n{}\n", "-".repeat(title.chars().count().max(3))))
        }
        Block::Paragraph(paragraph) => push_wrapped(text, "", "", paragraph),
        Block::Code(code) => text.push_str(&format!("   {code}\n")),
        Block::Items(items) => {
            for item in items {
                push_wrapped(text, " - ", "   ", item);
            }
        }
        Block::Steps(steps) => {
            for (at, (step, items)) in steps.iter().enumerate() {
                if at > 0 {
                    text.push('\n');
                }
                push_wrapped(text, &format!("{}. ", at + 1), "   ", step);
                if !items.is_empty() {
                    text.push('\n');
                }
                // Paths are never broken.
                for item in items {
                    text.push_str(&format!("    - {item}\n"));
                }
            }
        }
        Block::Files(rows) => push_table(text, rows),
    }
}

fn push_wrapped(text: &mut String, first: &str, others: &str, paragraph: &str) {
    for (at, line) in wrapped(paragraph, WIDTH - others.len()).iter().enumerate() {
        let lead = if at == 0 { first } else { others };
        text.push_str(&format!("{lead}{line}\n"));
    }
}

fn push_table(text: &mut String, rows: &[FileRow]) {
    let mut widths = COLUMNS.map(str::len);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row.cells()) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: [&str; 6]| {
        let mut line = String::from("  ");
        for ((cell, width), name) in cells.iter().zip(widths).zip(COLUMNS) {
            line.push(' ');
            let blanks = " ".repeat(width - cell.chars().count());
            if name == "Size" {
                line.push_str(&format!("{blanks}{cell} "));
            } else {
                line.push_str(&format!("{cell}{blanks} "));
            }
        }
        format!("{}\n", line.trim_end())
    };
    let heading = line(COLUMNS);
    text.push_str(&heading);
    text.push_str(&format!("   {}\n", "-".repeat(heading.trim().len().max(3))));
    for row in rows {
        text.push_str(&line(row.cells()));
    }
}
