//! The sample updates: their recipes, the articles' file tables, and a generator of stand-in files.
//!
//! The real files cannot be had, so each is replaced by a generated one: a valid PE image for Intel or Alpha
//! with the article's name, size, version and time stamp, and contents that change from the baseline to the
//! update as a rebuilt program does. The same bytes come out on every machine and in every run; there is
//! nothing to download. The images are made to be patched, never to be run.
//!
//! ```
//! use qfe_patcher::platform::Platform;
//! use qfe_payloads::SampleUpdate;
//!
//! let update = SampleUpdate::find("Q252717").expect("a sample update");
//! let file = update.file("Ccm.dll", Platform::I386).expect("a file of it");
//! assert_eq!(file.printed.size, "143 KB");
//! assert_eq!(file.updated().len(), 146_800);
//! assert_ne!(file.baseline(), file.updated());
//! ```
//!
//! | module | is responsible for |
//! |---|---|
//! | `article` | the table of files |
//! | `program` | the symbolic program behind a file, and the edit script that makes its update |
//! | `isa` | encoding a function for Intel or Alpha |
//! | `link` | layout and references |
//! | `pe`, `resource` | the image's format |
//! | `sample` | the wanted size |
//! | `tree` | files on disk |

mod article;
mod bytes;
#[cfg(test)]
mod checks;
mod isa;
mod link;
mod pe;
mod prng;
mod program;
mod resource;
mod sample;
mod tree;

pub use article::{BuildLine, Moment, Printed, SampleFile, SampleUpdate, updates};
pub use prng::Prng;
pub use sample::Tree;
pub use tree::{GenerateError, Generated, Outcome, generate};
