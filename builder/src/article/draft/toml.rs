//! Texts as TOML writes them.

/// Writes a text of one line as TOML does.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\t' => quoted.push_str("\\t"),
            '\n' => quoted.push_str("\\n"),
            c if c.is_control() => quoted.push(' '),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Writes a text of several lines as TOML does.
pub(super) fn quoted_lines(text: &str) -> String {
    let lines: Vec<String> = text
        .split('\n')
        .map(|paragraph| {
            let inner = quoted(paragraph);
            let inner = inner.get(1..inner.len() - 1).unwrap_or_default().to_owned();
            // A backslash ends a line that the text does not end.
            wrapped(&inner, 110).join(" \\\n")
        })
        .collect();
    format!("\"\"\"\n{}\"\"\"", lines.join("\n"))
}

/// Breaks a text into lines of so many characters at its blanks.
pub(in crate::article) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let Some(last) = lines.last_mut() else { break };
        if !last.is_empty() && last.chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            if !last.is_empty() {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines
}
