//! The two platforms an update is made for, and the machine field of a PE image.

use std::fmt;
use std::str::FromStr;

use crate::chain::debug_as_shown;

/// A platform of the product: a processor and the folder name that stands for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Platform {
    /// Intel 386 and later; articles also write Intel, INTEL and x86.
    I386,
    /// DEC Alpha AXP, 32-bit Windows NT.
    Alpha,
}

/// A text that names no platform.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is no platform: i386 or alpha is wanted")]
pub struct InvalidPlatform {
    found: String,
}

debug_as_shown!(InvalidPlatform);

impl Platform {
    /// Every platform, in the order in which they are shown.
    pub const ALL: [Self; 2] = [Self::I386, Self::Alpha];

    /// Returns the name of the platform, which is also its folder name.
    pub fn name(self) -> &'static str {
        match self {
            Self::I386 => "i386",
            Self::Alpha => "alpha",
        }
    }

    /// Returns the machine that images of this platform are for.
    pub fn machine(self) -> Machine {
        match self {
            Self::I386 => Machine::I386,
            Self::Alpha => Machine::ALPHA,
        }
    }

    /// Returns the platform that runs on a processor, by the word that Windows has for it in `PROCESSOR_ARCHITECTURE`; none
    /// if it is of another kind. A 64-bit Windows on Intel's processors runs the programs for i386.
    pub fn of_processor(word: &str) -> Option<Self> {
        match word.to_ascii_uppercase().as_str() {
            "X86" | "AMD64" | "IA64" => Some(Self::I386),
            "ALPHA" => Some(Self::Alpha),
            _ => None,
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Platform {
    type Err = InvalidPlatform;

    fn from_str(text: &str) -> Result<Self, InvalidPlatform> {
        Self::ALL
            .into_iter()
            .find(|platform| platform.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| InvalidPlatform { found: text.chars().take(80).collect() })
    }
}

/// The `Machine` field of an `IMAGE_FILE_HEADER` (PE/COFF specification, "Machine Types").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Machine(pub u16);

impl Machine {
    /// `IMAGE_FILE_MACHINE_I386`.
    pub const I386: Self = Self(0x014c);
    /// `IMAGE_FILE_MACHINE_ALPHA`.
    pub const ALPHA: Self = Self(0x0184);

    /// Returns the platform whose images carry this machine, if there is one.
    pub fn platform(self) -> Option<Platform> {
        Platform::ALL.into_iter().find(|platform| platform.machine() == self)
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.platform() {
            Some(platform) => write!(f, "{platform} (machine {:#06x})", self.0),
            None => write!(f, "machine {:#06x}", self.0),
        }
    }
}
