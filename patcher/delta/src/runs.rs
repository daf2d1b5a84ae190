//! Which stretches of the old file went where.

/// A stretch of the old file that was taken over into the new one, changed or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) old: u32,
    pub(crate) new: u32,
    pub(crate) len: u32,
}

impl Run {
    /// Returns where a position of the old file went, if it is in the run.
    #[inline]
    pub(crate) fn map(&self, old: u32) -> Option<u32> {
        let into = old.wrapping_sub(self.old);
        (into < self.len).then(|| self.new.wrapping_add(into))
    }

    pub(crate) fn old_end(&self) -> u32 {
        self.old.saturating_add(self.len)
    }
}

/// Most runs that are kept: 1.5 MB.
const MOST: usize = 1 << 17;

/// Runs in the order of the new file. If there are too many, the short ones are left out.
#[derive(Debug)]
pub(crate) struct Runs {
    runs: Vec<Run>,
    /// The length below which runs are not kept once the next one begins.
    shortest: u32,
}

impl Default for Runs {
    fn default() -> Self {
        Self { runs: Vec::new(), shortest: 1 }
    }
}

impl Runs {
    /// Notes that `len` bytes of the old file went from `old` to `new`.
    #[inline]
    pub(crate) fn add(&mut self, old: u32, new: u32, len: u32) {
        if len == 0 {
            return;
        }
        if let Some(last) = self.runs.last_mut() {
            if last.old_end() == old && last.new.wrapping_add(last.len) == new {
                last.len = last.len.saturating_add(len);
                return;
            }
            if last.len < self.shortest {
                self.runs.pop();
            }
        }
        if self.runs.len() >= MOST {
            while self.runs.len() > MOST / 2 {
                self.shortest = self.shortest.saturating_mul(2);
                self.runs.retain(|run| run.len >= self.shortest);
            }
        }
        self.runs.push(Run { old, new, len });
    }

    /// Returns the runs in the order of the old file, of those that begin together the longest first.
    pub(crate) fn into_sorted(self) -> Vec<Run> {
        let mut runs = self.runs;
        runs.sort_unstable_by_key(|run| (run.old, u32::MAX - run.len, run.new));
        runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_on_is_one_run() {
        let mut runs = Runs::default();
        runs.add(10, 20, 5);
        runs.add(15, 25, 5);
        runs.add(20, 31, 5);
        runs.add(0, 36, 0);
        let wanted = [Run { old: 10, new: 20, len: 10 }, Run { old: 20, new: 31, len: 5 }];
        assert_eq!(runs.runs, wanted);
        assert_eq!(wanted[0].map(19), Some(29));
        assert_eq!((wanted[0].map(20), wanted[0].map(9)), (None, None));
    }

    #[test]
    fn too_many_runs_leave_the_long_ones() {
        let mut runs = Runs::default();
        for n in 0..400_000_u32 {
            runs.add(n * 100, n * 90, if n % 16 == 0 { 64 } else { 1 });
            assert!(runs.runs.len() <= MOST);
        }
        let long = runs.runs.iter().filter(|run| run.len == 64).count();
        assert_eq!(long, 400_000 / 16);
    }
}
