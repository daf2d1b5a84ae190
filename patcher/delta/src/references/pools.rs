//! Where the old file's references lead, as places of the new one: what addresses are like.

use crate::file::File;
use crate::image::Rva;
use crate::isa::{Reference, alpha};

use super::candidates::AddressMap;

/// Most targets of a pool: of more, every second, third and so on counts.
const MOST: u32 = 1 << 17;

/// The mapped targets of old references, sorted.
#[derive(Debug, Default)]
pub(super) struct Pools {
    addresses: Vec<u32>,
    calls: Vec<u32>,
}

impl Pools {
    /// Collects the targets of a file.
    pub(super) fn new(old: &File<'_>, map: &AddressMap<'_>) -> Self {
        let mut counts = [0_u32; 2];
        each(old, |pool, _| {
            if let Some(count) = counts.get_mut(pool as usize) {
                *count += 1;
            }
        });
        let strides = counts.map(|count| count.div_ceil(MOST).max(1));
        let mut pools = Self::default();
        let mut seen = [0_u32; 2];
        each(old, |pool, target| {
            let (Some(seen), Some(stride)) = (seen.get_mut(pool as usize), strides.get(pool as usize)) else {
                return;
            };
            if *seen % stride == 0 {
                let pool = match pool {
                    Pool::Addresses => &mut pools.addresses,
                    Pool::Calls => &mut pools.calls,
                };
                pool.push(map.best(target()).0);
            }
            *seen += 1;
        });
        pools.addresses.sort_unstable();
        pools.calls.sort_unstable();
        pools
    }

    /// Returns the targets of calls, or of all else.
    pub(super) fn of(&self, call: bool) -> &[u32] {
        if call { &self.calls } else { &self.addresses }
    }
}

/// Which pool.
#[derive(Clone, Copy)]
enum Pool {
    Addresses,
    Calls,
}

/// Shows each reference that belongs to a pool; the target is computed if it is asked for.
fn each(old: &File<'_>, mut show: impl FnMut(Pool, &dyn Fn() -> Rva)) {
    for region in &old.regions {
        let mut at = region.start;
        while at < region.end {
            let item = old.item(at, region);
            for field in item.fields() {
                let opcode = u32::from(item.instruction.opcode);
                let pool = match field.reference {
                    Reference::Absolute | Reference::High => Pool::Addresses,
                    Reference::Relative32 if opcode == 0xe8 => Pool::Calls,
                    Reference::Branch if opcode == alpha::BSR => Pool::Calls,
                    _ => continue,
                };
                let place = at + u32::from(field.at);
                show(pool, &|| old.target(place, field.reference, region));
            }
            at += item.size();
        }
    }
}
