//! Sizes as tables print them.

/// A size as a table prints it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Size {
    /// Bytes, from and to: a size in KB stands for a thousand of them.
    pub(crate) bytes: (f64, f64),
    /// Whether it says that it is one: by commas or a unit.
    pub(in crate::article) is_marked: bool,
    /// Why it is doubtful, if it is.
    pub(in crate::article) doubt: Option<String>,
}

impl Size {
    /// Reads `174,960`, `174.960`, `67`, `143 KB`, `1.33 MB`, `29K`, `283,104 bytes` and their like.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let end = text.find(|c: char| !c.is_ascii_digit() && c != ',' && c != '.').unwrap_or(text.len());
        let (digits, unit) = (text.get(..end)?, text.get(end..)?.trim().trim_end_matches('.'));
        let scale = match unit.to_ascii_lowercase().trim_matches(['(', ')']) {
            "" => None,
            "b" | "byte" | "bytes" => Some(1.0),
            "k" | "kb" | "kbytes" | "kilobytes" => Some(1024.0),
            "m" | "mb" | "mbytes" | "megabytes" => Some(1_048_576.0),
            "g" | "gb" => Some(1_073_741_824.0),
            _ => return None,
        };
        let is_number = digits.starts_with(|c: char| c.is_ascii_digit())
            && digits.ends_with(|c: char| c.is_ascii_digit())
            && digits.len() <= 24;
        if !is_number || (digits.matches(',').count() > 2 && !are_thousands(digits, ',')) {
            return None;
        }
        if scale.is_none() && digits.contains('.') && are_thousands(digits, '.') {
            let bytes: f64 = digits.replace('.', "").parse().ok()?;
            let doubt = Some("it has points where commas stand".to_owned());
            return Some(Self { bytes: (bytes, bytes), is_marked: false, doubt });
        }
        if digits.matches('.').count() > 1 {
            return None;
        }
        let fraction = digits.split_once('.').map(|(_, fraction)| fraction.len());
        if fraction.is_some() && scale.is_none_or(|scale| scale < 1024.0) {
            return None;
        }
        let value: f64 = digits.replace(',', "").parse().ok()?;
        let step = fraction.map_or(1.0, |places| 0.1_f64.powi(i32::try_from(places).unwrap_or(15)));
        let scale_or_one = scale.unwrap_or(1.0);
        let slack = if scale_or_one > 1.0 { step * scale_or_one } else { 0.0 };
        let bytes = value * scale_or_one;
        let whole = digits.split('.').next().unwrap_or_default();
        let is_grouped = !whole.contains(',') || are_thousands(whole, ',');
        let doubt = if value == 0.0 {
            Some("no file is that small".to_owned())
        } else {
            (!is_grouped).then(|| "its commas are not where thousands are".to_owned())
        };
        let is_marked = scale.is_some() || digits.contains(',');
        Some(Self { bytes: ((bytes - slack).max(0.0), bytes + slack), is_marked, doubt })
    }
}

/// Tells whether each separator stands before three digits.
pub(super) fn are_thousands(digits: &str, separator: char) -> bool {
    let mut groups = digits.split(separator);
    let is_group = |group: &str| group.bytes().all(|byte| byte.is_ascii_digit());
    groups.next().is_some_and(|first| (1..=3).contains(&first.len()) && is_group(first))
        && groups.all(|group| group.len() == 3 && is_group(group))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_their_slack() {
        let read =
            |text: &str| Size::read(text).map(|size| (size.bytes, size.is_marked, size.doubt.is_some()));
        assert_eq!(read("174,960"), Some(((174_960.0, 174_960.0), true, false)));
        assert_eq!(read("283,104 bytes"), Some(((283_104.0, 283_104.0), true, false)));
        assert_eq!(read("67"), Some(((67.0, 67.0), false, false)));
        assert_eq!(read("29K"), Some(((28.0 * 1024.0, 30.0 * 1024.0), true, false)));
        assert_eq!(read("143 KB"), Some(((142.0 * 1024.0, 144.0 * 1024.0), true, false)));
        let (bytes, ..) = read("1.33 MB").unwrap();
        assert!(bytes.0 < 1_398_032.0 && 1_398_032.0 < bytes.1);
        assert_eq!(read("8,1012"), Some(((81_012.0, 81_012.0), true, true)));
        assert_eq!(read("185.760"), Some(((185_760.0, 185_760.0), false, true)));
        assert_eq!(read("0"), Some(((0.0, 0.0), false, true)));
        for text in ["2.0", "2.0.1", "1,", "K", "12 files", "", "1.5", "185.76", "3,1,0,2124"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
