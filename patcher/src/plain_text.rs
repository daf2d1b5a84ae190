//! Text of others in front of people: nothing in it may move the cursor, colour what follows, or turn it round.
//!
//! What a bundle says is shown before it is believed, and names of files and machines' answers are anybody's.

use std::borrow::Cow;

/// Tells whether a character does something to the text around it: controls, and those that set the direction of text.
pub fn is_disruptive(character: char) -> bool {
    character.is_control() || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Tells whether a text can be shown as a part of a line.
pub fn is_line(text: &str) -> bool {
    !text.chars().any(is_disruptive)
}

/// Returns lines as they may be shown: in place of what is disruptive, but for ends of lines and tabs, stands U+FFFD.
pub fn shown(lines: &str) -> Cow<'_, str> {
    let is_kept = |character| matches!(character, '\n' | '\t') || !is_disruptive(character);
    if lines.chars().all(is_kept) {
        return Cow::Borrowed(lines);
    }
    let shown = |character| if is_kept(character) { character } else { char::REPLACEMENT_CHARACTER };
    Cow::Owned(lines.chars().map(shown).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_disturbs_a_terminal_is_replaced_and_lines_stay_lines() {
        assert_eq!(shown("a\tb\nÄ\u{4e2d}"), "a\tb\nÄ\u{4e2d}");
        assert_eq!(shown("\u{1b}[2J\r\u{9b}1m\u{7f}"), "\u{fffd}[2J\u{fffd}\u{fffd}1m\u{fffd}");
        assert_eq!(shown("\u{202e}gpj.exe"), "\u{fffd}gpj.exe");
        assert!(is_line("Größe: 1") && !is_line("a\nb") && !is_line("a\tb") && !is_line("\u{2066}x"));
    }
}
