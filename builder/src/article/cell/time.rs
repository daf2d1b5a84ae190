//! Times of day as tables print them.

/// A time of day as a table prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::article) enum Time {
    /// Hour and minute.
    Minute(u8, u8),
    /// The form of a time, but none of the clock: why.
    Broken(String),
}

impl Time {
    /// Reads `10:49AM`, `10:49a`, `03:45 P.M.`, `22:49`, `22:49:07 UTC` and their like.
    pub(in crate::article) fn read(text: &str) -> Option<Self> {
        if text.len() > 24 || !text.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        let text: String = text.to_ascii_lowercase().replace(' ', "");
        let text = text.strip_suffix("utc").or_else(|| text.strip_suffix("gmt")).unwrap_or(&text);
        let end = text.find(|c: char| !c.is_ascii_digit() && c != ':' && c != '.').unwrap_or(text.len());
        let (clock, half) = text.split_at(end);
        let half = match half {
            "" => None,
            "a" | "am" | "a.m." | "a.m" => Some(false),
            "p" | "pm" | "p.m." | "p.m" => Some(true),
            _ => return None,
        };
        let separator = if clock.contains(':') { ':' } else { '.' };
        if separator == '.' && half.is_none() {
            return None;
        }
        let parts: Vec<&str> = clock.split(separator).collect();
        let (hour, minute) = match parts.as_slice() {
            [hour, minute] => (hour, minute),
            [hour, minute, second] if two_digits(second) => (hour, minute),
            _ => return None,
        };
        if !(1..=2).contains(&hour.len()) || !two_digits(minute) {
            return None;
        }
        let (hour, minute): (u8, u8) = (hour.parse().ok()?, minute.parse().ok()?);
        let hours = match half {
            None => 0..=23,
            // `13:05p` and `00:12a` are printed at times, and plain.
            Some(true) => 1..=23,
            Some(false) => 0..=12,
        };
        if !hours.contains(&hour) || minute > 59 {
            return Some(Self::Broken("no clock shows it".to_owned()));
        }
        let hour = match half {
            Some(true) if hour < 12 => hour + 12,
            Some(false) if hour == 12 => 0,
            _ => hour,
        };
        Some(Self::Minute(hour, minute))
    }
}

fn two_digits(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_every_way_they_are_printed() {
        let at = |hour, minute| Some(Time::Minute(hour, minute));
        for text in
            ["10:49pm", "10:49PM", "10:49p", "10:49 P.M.", "22:49", "22:49:07", "22:49 UTC", "10.49pm"]
        {
            assert_eq!(Time::read(text), at(22, 49), "{text}");
        }
        assert_eq!(Time::read("12:05a"), at(0, 5));
        assert_eq!(Time::read("12:05PM"), at(12, 5));
        for text in ["25:00", "10:61pm"] {
            assert!(matches!(Time::read(text), Some(Time::Broken(_))), "{text}");
        }
        for text in ["10", "10:4", "1049a", "2.0", "Ccm.dll", "1/28/00", "10:49x", ""] {
            assert_eq!(Time::read(text), None, "{text}");
        }
    }
}
