//! Makes the bytes of a sample file: the program behind it, at exactly the article's size.
//!
//! A file's program depends on its name and build line alone, so that the files of both platforms are twins
//! and those of both build lines relatives. The number of functions is chosen so that the natural sizes of
//! both twins come close to the wanted ones; a message catalogue in the initialised data makes up the rest.

use qfe_patcher::version::FileVersion;

use crate::article::{BuildLine, SampleFile, updates};
use crate::bytes::count;
use crate::link::{Linked, Order, link};
use crate::pe::{FILE_ALIGNMENT, Kind};
use crate::prng::Prng;
use crate::program::{Exports, Extent, Program, revise, write_program};

/// Before or after the update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tree {
    /// The files that a server has.
    Baseline,
    /// The files that the update brings.
    Update,
}

impl Tree {
    /// The folder's name beside a recipe.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Update => "update",
        }
    }
}

impl SampleFile {
    /// The bytes of the file before the update.
    pub fn baseline(&self) -> Vec<u8> {
        self.bytes(Tree::Baseline)
    }

    /// The bytes of the file that the update brings.
    pub fn updated(&self) -> Vec<u8> {
        self.bytes(Tree::Update)
    }

    /// The bytes of the file in one of the trees: always the same ones.
    pub fn bytes(&self, tree: Tree) -> Vec<u8> {
        self.linked(tree).image.write()
    }

    /// The version of the file in one of the trees.
    pub fn version_in(&self, tree: Tree) -> FileVersion {
        match tree {
            Tree::Baseline => self.baseline.version(),
            Tree::Update => self.version,
        }
    }

    /// The size of the file in one of the trees; the baseline is a little smaller than the update.
    pub fn size_in(&self, tree: Tree) -> u32 {
        match tree {
            Tree::Baseline => {
                let blocks = self.size / FILE_ALIGNMENT;
                let mut prng = Prng::seeded(&[self.name, self.platform.name(), self.baseline.name(), "size"]);
                self.size - FILE_ALIGNMENT * (1 + prng.below(1 + blocks / 200))
            }
            Tree::Update => self.size,
        }
    }

    /// The PE time stamp of the file in one of the trees.
    pub fn time_stamp_in(&self, tree: Tree) -> u32 {
        match tree {
            Tree::Baseline => {
                // A build takes a while: the files of a line differ by minutes.
                let mut prng =
                    Prng::seeded(&[self.name, self.platform.name(), self.baseline.name(), "stamp"]);
                self.baseline.linked().time_stamp() + prng.below(3 * 3600)
            }
            Tree::Update => self.linked.time_stamp(),
        }
    }

    pub(crate) fn linked(&self, tree: Tree) -> Linked {
        self.fitted(tree).0
    }

    /// How much of the file is message catalogue, in thousandths.
    #[cfg(test)]
    pub(crate) fn catalogue_share(&self, tree: Tree) -> u32 {
        self.fitted(tree).1 * 1000 / self.size
    }

    /// The file at its wanted size, and how much catalogue that took.
    fn fitted(&self, tree: Tree) -> (Linked, u32) {
        let program = self.program(tree, self.population());
        let wanted = self.size_in(tree);
        // More catalogue moves the sections behind it, which can change the relocation table's padding by
        // another block: hence more than one attempt.
        let mut catalogue = 0;
        for _ in 0..8 {
            let linked = link(&self.order(&program, tree, catalogue));
            let size = count(&linked.image.write());
            if size == wanted {
                return (linked, catalogue);
            }
            catalogue =
                (catalogue + wanted).checked_sub(size).expect("the population leaves room, see there");
        }
        unreachable!("the catalogue is the one thing that grows")
    }

    fn order<'a>(&'a self, program: &'a Program, tree: Tree, catalogue: u32) -> Order<'a> {
        Order {
            program,
            platform: self.platform,
            kind: self.kind(),
            name: self.name,
            version: self.version_in(tree),
            time_stamp: self.time_stamp_in(tree),
            catalogue,
            debug: self.size % FILE_ALIGNMENT,
        }
    }

    fn kind(&self) -> Kind {
        if self.name.ends_with(".exe") { Kind::Executable } else { Kind::Library }
    }

    fn program(&self, tree: Tree, population: u32) -> Program {
        let stem = stem(self.name);
        let exports = match self.kind() {
            Kind::Executable => Exports::None,
            Kind::Library => Exports::Some,
        };
        let narrow = narrow(stem);
        let mut program = write_program(stem, population, narrow, exports);
        if self.baseline == BuildLine::ServicePack1 {
            revise(&mut program, Extent::ServicePack, narrow, Prng::seeded(&[stem, self.baseline.name()]));
        }
        if tree == Tree::Update {
            revise(&mut program, Extent::Fix, narrow, Prng::seeded(&[stem, self.printed.version]));
        }
        program
    }

    /// How many functions the release's program has, so that neither this file nor its twin grows too large.
    ///
    /// A file that no article lists has no twin.
    fn population(&self) -> u32 {
        let mut twins: Vec<&SampleFile> = updates()
            .iter()
            .flat_map(|update| update.files)
            .filter(|file| file.name == self.name && file.version == self.version)
            .collect();
        if twins.is_empty() {
            twins.push(self);
        }
        // The same start for both twins, and so the same result.
        let mut population = twins.iter().map(|twin| twin.size).max().unwrap_or(self.size) / 500;
        for _ in 0..8 {
            let program = self.program(Tree::Update, population);
            let fills = twins.iter().map(|twin| {
                let linked = link(&twin.order(&program, Tree::Update, 0));
                count(&linked.image.write()) / (twin.size / 1000)
            });
            // In thousandths of the wanted size.
            let fill = fills.max().unwrap_or(1);
            if (960..=985).contains(&fill) {
                break;
            }
            population = population * 975 / fill;
        }
        population
    }
}

/// The share of string handling in a file's program, in percent of its statements.
///
/// Without byte instructions string handling takes three times the bytes on Alpha: this brings the ratio of
/// the twins' sizes close to the article's.
fn narrow(stem: &str) -> u32 {
    match stem {
        "Nt_logon" => 14,
        _ => 4,
    }
}

/// A file name without its extension.
pub(crate) fn stem(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use qfe_patcher::image::Image;
    use qfe_patcher::platform::Platform;

    use super::*;

    #[test]
    fn the_small_file_has_its_size_and_version_on_both_platforms() {
        for platform in [Platform::I386, Platform::Alpha] {
            let file = SampleFile::small(platform);
            for tree in [Tree::Baseline, Tree::Update] {
                let bytes = file.bytes(tree);
                assert_eq!(count(&bytes), file.size_in(tree));
                assert_eq!(Image::read(&bytes).unwrap().version, Some(file.version_in(tree)));
            }
        }
    }
}
