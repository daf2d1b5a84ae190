//! The table of the sample updates: what each article prints about each file, and what follows from it.
//!
//! This is the one place for attributes; the generator and the tests read them here, and the recipes
//! (`Q252717/update.toml` ...) are held against it. `Printed` keeps the article's own spelling, errors
//! included: it is shown, never decided on.
//!
//! Where an article prints kilobytes, a size was chosen that rounds and truncates to the figure and ends like
//! the sizes of the articles that print bytes: 368 bytes over a multiple of 512 on Intel, 272 on Alpha.

use qfe_patcher::platform::Platform;
use qfe_patcher::version::FileVersion;

/// One row of an article's file table, every value as printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Printed {
    /// The date, for example `1/28/2000`.
    pub date: &'static str,
    /// The time of day, for example `10:49AM`.
    pub time: &'static str,
    /// The version, for example `2.0.1380.1125`.
    pub version: &'static str,
    /// The size, for example `143 KB` or `174,960`.
    pub size: &'static str,
    /// The platform: `Intel`, `I386` or `Alpha`.
    pub platform: &'static str,
}

/// A minute of the calendar, taken as UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// The year, four digits.
    pub year: u16,
    /// The month, 1 to 12.
    pub month: u8,
    /// The day of the month, from 1.
    pub day: u8,
    /// The hour, 0 to 23.
    pub hour: u8,
    /// The minute, 0 to 59.
    pub minute: u8,
}

impl Moment {
    const fn new(year: u16, month: u8, day: u8, hour: u8, minute: u8) -> Self {
        Self { year, month, day, hour, minute }
    }

    /// Seconds since 1970, as a PE time stamp counts.
    pub fn time_stamp(self) -> u32 {
        // Days since 1 March of year 0, with the year beginning in March (Hinnant, "chrono-compatible
        // low-level date algorithms"); 719,468 of them lie before 1970.
        let (year, month) = match self.month {
            1 | 2 => (u32::from(self.year) - 1, u32::from(self.month) + 9),
            month => (u32::from(self.year), u32::from(month) - 3),
        };
        let leap_days = year / 4 - year / 100 + year / 400;
        let days = year * 365 + leap_days + (153 * month + 2) / 5 + u32::from(self.day) - 1 - 719_468;
        days * 86_400 + u32::from(self.hour) * 3_600 + u32::from(self.minute) * 60
    }
}

/// A build line of the product: what the files were before the update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BuildLine {
    /// The release, build 1239.
    Release,
    /// Service Pack 1, build 1380.
    ServicePack1,
}

impl BuildLine {
    /// The version of the line's own files.
    pub fn version(self) -> FileVersion {
        match self {
            Self::Release => FileVersion([2, 0, 1239, 0]),
            Self::ServicePack1 => FileVersion([2, 0, 1380, 1000]),
        }
    }

    /// The recipes' name of the baseline: the last two numbers of the version.
    pub fn name(self) -> &'static str {
        match self {
            Self::Release => "1239.0",
            Self::ServicePack1 => "1380.1000",
        }
    }

    /// When the line's files were linked. No article says so; chosen months before the updates.
    pub(crate) fn linked(self) -> Moment {
        match self {
            Self::Release => Moment::new(1999, 1, 22, 21, 4),
            Self::ServicePack1 => Moment::new(1999, 6, 25, 19, 37),
        }
    }
}

/// One file of a sample update, for one platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleFile {
    /// The file name, as the article spells it.
    pub name: &'static str,
    /// The platform.
    pub platform: Platform,
    /// The version of the updated file.
    pub version: FileVersion,
    /// The size of the updated file in bytes.
    pub size: u32,
    /// When the updated file was linked: its PE time stamp.
    pub linked: Moment,
    /// What the file was before.
    pub baseline: BuildLine,
    /// The article's row.
    pub printed: Printed,
}

impl SampleFile {
    /// Returns a file that no article lists, about as small as a program can be: for tests that want many.
    pub fn small(platform: Platform) -> Self {
        let (size, word) = match platform {
            Platform::I386 => (SMALL + 368, "Intel"),
            Platform::Alpha => (SMALL + SMALL / 2 + 272, "Alpha"),
        };
        Self {
            name: "Small.dll",
            platform,
            version: FileVersion([2, 0, 1380, 1125]),
            size,
            linked: Moment::new(2000, 1, 28, 10, 49),
            baseline: BuildLine::ServicePack1,
            printed: row("1/28/2000", "10:49AM", "2.0.1380.1125", "", word),
        }
    }
}

/// Size of the small file for Intel, up to a multiple of 512.
const SMALL: u32 = 24 << 10;

/// One sample update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleUpdate {
    /// The number, for example `Q252717`.
    pub id: &'static str,
    /// The text of its `update.toml`.
    pub recipe: &'static str,
    /// Its files, in the article's order.
    pub files: &'static [SampleFile],
}

/// The sample updates: Q252717 and its sibling for SP1, then their twins for the release.
pub fn updates() -> &'static [SampleUpdate] {
    UPDATES
}

impl SampleUpdate {
    /// Finds an update by its number, in any case.
    pub fn find(id: &str) -> Option<&'static Self> {
        UPDATES.iter().find(|update| update.id.eq_ignore_ascii_case(id))
    }

    /// Finds a file by name, in any case, and platform.
    pub fn file(&self, name: &str, platform: Platform) -> Option<&'static SampleFile> {
        self.files.iter().find(|file| file.platform == platform && file.name.eq_ignore_ascii_case(name))
    }
}

const fn row(
    date: &'static str,
    time: &'static str,
    version: &'static str,
    size: &'static str,
    platform: &'static str,
) -> Printed {
    Printed { date, time, version, size, platform }
}

const UPDATES: &[SampleUpdate] = &[
    SampleUpdate {
        id: "Q252717",
        recipe: include_str!("../Q252717/update.toml"),
        files: &[
            SampleFile {
                name: "Ccm.dll",
                platform: Platform::I386,
                version: FileVersion([2, 0, 1380, 1125]),
                size: 143 * 1024 + 368,
                linked: Moment::new(2000, 1, 28, 10, 49),
                baseline: BuildLine::ServicePack1,
                printed: row("1/28/2000", "10:49AM", "2.0.1380.1125", "143 KB", "Intel"),
            },
            SampleFile {
                name: "Ccmbtldr.exe",
                platform: Platform::I386,
                version: FileVersion([2, 0, 1380, 1125]),
                size: 397 * 1024 + 368,
                linked: Moment::new(2000, 1, 28, 10, 50),
                baseline: BuildLine::ServicePack1,
                printed: row("1/28/2000", "10:50AM", "2.0.1380.1125", "397 KB", "Intel"),
            },
            SampleFile {
                name: "Baseobj.dll",
                platform: Platform::I386,
                version: FileVersion([2, 0, 1380, 1101]),
                size: 857 * 1024 + 368,
                linked: Moment::new(1999, 12, 20, 16, 42),
                baseline: BuildLine::ServicePack1,
                printed: row("12/20/1999", "4:42PM", "2.0.1380.1101", "857 KB", "Intel"),
            },
            SampleFile {
                name: "Ccm.dll",
                platform: Platform::Alpha,
                version: FileVersion([2, 0, 1380, 1125]),
                size: 227 * 1024 + 272,
                linked: Moment::new(2000, 1, 28, 10, 54),
                baseline: BuildLine::ServicePack1,
                printed: row("1/28/2000", "10:54AM", "2.0.1380.1125", "227 KB", "Alpha"),
            },
            SampleFile {
                name: "Ccmbtldr.exe",
                platform: Platform::Alpha,
                version: FileVersion([2, 0, 1380, 1125]),
                size: 642 * 1024 + 272,
                linked: Moment::new(2000, 1, 28, 10, 54),
                baseline: BuildLine::ServicePack1,
                printed: row("1/28/2000", "10:54AM", "2.0.1380.1125", "642 KB", "Alpha"),
            },
            SampleFile {
                name: "Baseobj.dll",
                platform: Platform::Alpha,
                version: FileVersion([2, 0, 1380, 1101]),
                // 1.33 MB: 2,730 times 512, and 272.
                size: 1_398_032,
                // The printed date lacks a digit; the day is that of the Intel twin, the time its own.
                linked: Moment::new(1999, 12, 20, 17, 18),
                baseline: BuildLine::ServicePack1,
                printed: row("12/20/199", "5:18PM", "2.0.1380.1101", "1.33 MB", "Alpha"),
            },
        ],
    },
    SampleUpdate {
        id: "Q249077",
        recipe: include_str!("../Q249077/update.toml"),
        files: &[
            SampleFile {
                name: "Nt_logon.dll",
                platform: Platform::I386,
                version: FileVersion([2, 0, 1380, 1105]),
                size: 174_960,
                linked: Moment::new(2000, 1, 3, 11, 38),
                baseline: BuildLine::ServicePack1,
                printed: row("1/3/00", "11:38am", "2.0.1380.1105", "174,960", "I386"),
            },
            SampleFile {
                name: "Nt_logon.dll",
                platform: Platform::Alpha,
                version: FileVersion([2, 0, 1380, 1105]),
                size: 305_936,
                linked: Moment::new(2000, 1, 3, 11, 38),
                baseline: BuildLine::ServicePack1,
                printed: row("1/3/00", "11:38am", "2.0.1380.1105", "305,936", "Alpha"),
            },
        ],
    },
    SampleUpdate {
        id: "Q252718",
        recipe: include_str!("../Q252718/update.toml"),
        files: &[
            SampleFile {
                name: "Ccm.dll",
                platform: Platform::I386,
                version: FileVersion([2, 0, 1239, 64]),
                size: 137 * 1024 + 368,
                linked: Moment::new(2000, 1, 28, 11, 12),
                baseline: BuildLine::Release,
                printed: row("1/28/2000", "11:12AM", "2.0.1239.64", "137 KB", "Intel"),
            },
            SampleFile {
                name: "Ccmbtldr.exe",
                platform: Platform::I386,
                version: FileVersion([2, 0, 1239, 64]),
                size: 386 * 1024 + 368,
                linked: Moment::new(2000, 1, 28, 11, 12),
                baseline: BuildLine::Release,
                printed: row("1/28/2000", "11:12AM", "2.0.1239.64", "386 KB", "Intel"),
            },
            SampleFile {
                name: "Ccm.dll",
                platform: Platform::Alpha,
                version: FileVersion([2, 0, 1239, 64]),
                size: 217 * 1024 + 272,
                linked: Moment::new(2000, 1, 28, 11, 13),
                baseline: BuildLine::Release,
                printed: row("1/28/2000", "11:13AM", "2.0.1239.64", "217 KB", "Alpha"),
            },
            SampleFile {
                name: "Ccmbtldr.exe",
                platform: Platform::Alpha,
                version: FileVersion([2, 0, 1239, 64]),
                size: 625 * 1024 + 272,
                linked: Moment::new(2000, 1, 28, 11, 13),
                baseline: BuildLine::Release,
                printed: row("1/28/2000", "11:13AM", "2.0.1239.64", "625 KB", "Alpha"),
            },
        ],
    },
    SampleUpdate {
        id: "Q251070",
        recipe: include_str!("../Q251070/update.toml"),
        files: &[
            SampleFile {
                name: "Nt_logon.dll",
                platform: Platform::I386,
                version: FileVersion([2, 0, 1239, 62]),
                size: 168_816,
                linked: Moment::new(2000, 1, 4, 13, 36),
                baseline: BuildLine::Release,
                printed: row("1/4/00", "1:36pm", "2.0.1239.62", "168,816", "I386"),
            },
            SampleFile {
                name: "Nt_logon.dll",
                platform: Platform::Alpha,
                version: FileVersion([2, 0, 1239, 62]),
                size: 296_208,
                linked: Moment::new(2000, 1, 4, 13, 37),
                baseline: BuildLine::Release,
                printed: row("1/4/00", "1:37pm", "2.0.1239.62", "296,208", "Alpha"),
            },
        ],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> impl Iterator<Item = &'static SampleFile> {
        updates().iter().flat_map(|update| update.files)
    }

    /// The minute a printed date and time name, if they name one.
    fn read(date: &str, time: &str) -> Option<Moment> {
        let [month, day, year] = date.split('/').collect::<Vec<_>>().try_into().ok()?;
        let year = match year.len() {
            2 if year == "00" => 2000,
            4 => year.parse().ok()?,
            _ => return None,
        };
        let (clock, half) = time.split_at(time.len() - 2);
        let (hour, minute) = clock.split_once(':')?;
        let hour = hour.parse::<u8>().ok()? % 12 + if half.eq_ignore_ascii_case("pm") { 12 } else { 0 };
        Some(Moment::new(year, month.parse().ok()?, day.parse().ok()?, hour, minute.parse().ok()?))
    }

    #[test]
    fn time_stamps_count_from_1970() {
        assert_eq!(Moment::new(1970, 1, 1, 0, 0).time_stamp(), 0);
        assert_eq!(Moment::new(2000, 2, 29, 12, 34).time_stamp(), 951_827_640);
        assert_eq!(Moment::new(2000, 1, 28, 10, 49).time_stamp(), 949_056_540);
    }

    #[test]
    fn values_are_those_printed_except_for_the_broken_date() {
        let mut broken = Vec::new();
        for file in files() {
            assert_eq!(file.version.to_string(), file.printed.version);
            match read(file.printed.date, file.printed.time) {
                Some(moment) => assert_eq!(moment, file.linked, "{}", file.name),
                None => broken.push((file.name, file.platform, file.printed.date)),
            }
        }
        assert_eq!(broken, [("Baseobj.dll", Platform::Alpha, "12/20/199")]);
    }

    #[test]
    fn sizes_print_as_the_article_prints_them() {
        for file in files() {
            let bytes = f64::from(file.size);
            let printed = match file.printed.size {
                megabytes if megabytes.ends_with("MB") => format!("{:.2} MB", bytes / 1_048_576.0),
                kilobytes if kilobytes.ends_with("KB") => format!("{:.0} KB", bytes / 1024.0),
                _ => format!("{},{:03}", file.size / 1000, file.size % 1000),
            };
            assert_eq!(printed, file.printed.size);
        }
    }

    #[test]
    fn baselines_are_older_than_updates() {
        for file in files() {
            assert!(file.baseline.version() < file.version);
            assert!(file.baseline.linked() < file.linked);
            assert!(file.baseline.version().to_string().ends_with(file.baseline.name()));
        }
    }
}
