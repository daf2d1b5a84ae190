//! The file beside the keys of a folder that says how many must sign, `keyring.toml`.
//!
//! TOML with one key, `threshold`: an integer in decimal digits. Comments and empty lines may stand anywhere;
//! whatever else is written there is refused, for who reads less than is meant believes too much.

/// The file's name.
pub const POLICY_FILE: &str = "keyring.toml";

const KEY: &str = "threshold";

/// Reads how many keys must sign, or tells what is wrong.
pub(super) fn threshold(text: &str) -> Result<usize, String> {
    let mut threshold = None;
    for line in text.strip_prefix('\u{feff}').unwrap_or(text).lines() {
        // No string may stand here, in which the sign would be no comment.
        let line = line.split_once('#').map_or(line, |(line, _)| line).trim_matches([' ', '\t']);
        if line.is_empty() {
            continue;
        }
        let (key, value) =
            line.split_once('=').ok_or_else(|| format!("expected `{KEY} = NUMBER`, found `{line}`"))?;
        let (key, value) = (key.trim_matches([' ', '\t']), value.trim_matches([' ', '\t']));
        if key != KEY {
            return Err(format!("unknown field `{key}`, expected `{KEY}`"));
        }
        if threshold.replace(number(value)?).is_some() {
            return Err(format!("duplicate key `{KEY}`"));
        }
    }
    threshold.ok_or_else(|| format!("missing field `{KEY}`"))
}

fn number(value: &str) -> Result<usize, String> {
    let is_decimal =
        value.bytes().all(|byte| byte.is_ascii_digit()) && (value == "0" || !value.starts_with('0'));
    value
        .parse()
        .ok()
        .filter(|_| is_decimal)
        .ok_or_else(|| format!("expected a number of keys, found `{value}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_is_read_among_comments_and_empty_lines() {
        for text in
            ["threshold = 2", "threshold=2\n", "\u{feff}# Two must sign.\r\n\r\n\tthreshold =  2 # two\r\n"]
        {
            assert_eq!(threshold(text), Ok(2), "{text:?}");
        }
    }

    #[test]
    fn whatever_else_is_written_is_refused_by_name() {
        for (text, wanted) in [
            ("", "missing field `threshold`"),
            ("# threshold = 2", "missing field `threshold`"),
            ("treshold = 1", "unknown field `treshold`, expected `threshold`"),
            ("threshold = 1\nkeys = 2", "unknown field `keys`, expected `threshold`"),
            ("threshold = 1\nthreshold = 1", "duplicate key `threshold`"),
            ("threshold", "expected `threshold = NUMBER`, found `threshold`"),
            ("[policy]\nthreshold = 1", "expected `threshold = NUMBER`, found `[policy]`"),
            ("threshold =", "expected a number of keys, found ``"),
            ("threshold = \"2\"", "expected a number of keys, found `\"2\"`"),
            ("threshold = -1", "expected a number of keys, found `-1`"),
            ("threshold = +1", "expected a number of keys, found `+1`"),
            ("threshold = 01", "expected a number of keys, found `01`"),
            ("threshold = 1.0", "expected a number of keys, found `1.0`"),
            ("threshold = 1 2", "expected a number of keys, found `1 2`"),
            ("threshold = 99999999999999999999", "expected a number of keys, found `99999999999999999999`"),
        ] {
            assert_eq!(threshold(text), Err(wanted.to_owned()), "{text:?}");
        }
    }
}
