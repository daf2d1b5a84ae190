//! Times as text: UTC, to the second.

use std::time::SystemTime;

use time::OffsetDateTime;

/// Writes a time as `2000-01-28T10:49:00Z` (ISO 8601).
pub fn utc(time: SystemTime) -> String {
    let t = OffsetDateTime::from(time);
    let (date, clock) = (t.date(), t.time());
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        date.year(),
        u8::from(date.month()),
        date.day(),
        clock.hour(),
        clock.minute(),
        clock.second()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc() {
        let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(949_056_540);
        assert_eq!(utc(time), "2000-01-28T10:49:00Z");
    }
}
