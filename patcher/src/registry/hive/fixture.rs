//! Hives for tests, made cell by cell.

/// Cells that follow one another in the only bin.
#[derive(Default)]
pub(crate) struct Cells(Vec<u8>);

/// What a key cell says.
pub(crate) struct Key<'n> {
    pub(crate) name: &'n str,
    pub(crate) is_latin: bool,
    /// Count and list.
    pub(crate) keys: (u32, u32),
    /// Count and list.
    pub(crate) values: (u32, u32),
    pub(crate) security: u32,
}

impl Default for Key<'_> {
    fn default() -> Self {
        Self { name: "", is_latin: true, keys: (0, u32::MAX), values: (0, u32::MAX), security: u32::MAX }
    }
}

impl Cells {
    /// Adds a cell in use; returns its offset.
    pub(crate) fn add(&mut self, contents: &[u8]) -> u32 {
        let offset = self.next();
        let size = (contents.len() + 4).next_multiple_of(8);
        self.0.extend(0_i32.wrapping_sub_unsigned(u32::try_from(size).unwrap()).to_le_bytes());
        self.0.extend(contents);
        self.0.resize(usize::try_from(offset).unwrap() - 32 + size, 0);
        offset
    }

    fn next(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap() + 32
    }

    pub(crate) fn key(&mut self, key: &Key<'_>) -> u32 {
        let name = name(key.name, key.is_latin);
        let is_root = key.name == "$$$";
        let flags: u16 = if key.is_latin { 0x20 } else { 0 } | if is_root { 0x0c } else { 0 };
        let mut cell = [b"nk".as_slice(), &flags.to_le_bytes(), &[0; 16]].concat();
        for word in [key.keys.0, 0, key.keys.1, u32::MAX, key.values.0, key.values.1, key.security, u32::MAX]
        {
            cell.extend(word.to_le_bytes());
        }
        cell.extend([0; 20]);
        cell.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
        cell.extend([0; 2]);
        cell.extend(name);
        self.add(&cell)
    }

    /// Adds a value, its data in a cell of their own where they are more than 4 bytes.
    pub(crate) fn value(&mut self, name: &str, is_latin: bool, kind: u32, data: &[u8]) -> u32 {
        let size = u32::try_from(data.len()).unwrap();
        let (size, place) = if data.len() > 4 {
            (size, self.add(data).to_le_bytes())
        } else {
            let mut place = [0; 4];
            place[..data.len()].copy_from_slice(data);
            (size | 0x8000_0000, place)
        };
        self.raw_value(name, is_latin, kind, size, place)
    }

    pub(crate) fn value_at(&mut self, name: &str, kind: u32, size: usize, place: u32) -> u32 {
        self.raw_value(name, true, kind, u32::try_from(size).unwrap(), place.to_le_bytes())
    }

    fn raw_value(&mut self, text: &str, is_latin: bool, kind: u32, size: u32, place: [u8; 4]) -> u32 {
        let name = name(text, is_latin);
        let mut cell = b"vk".to_vec();
        cell.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
        cell.extend(size.to_le_bytes());
        cell.extend(place);
        cell.extend(kind.to_le_bytes());
        cell.extend(u32::from(is_latin).to_le_bytes());
        cell.extend(name);
        self.add(&cell)
    }

    /// Adds a list; one of values has no signature, and no count.
    pub(crate) fn list(&mut self, signature: &[u8], cells: &[u32], width: usize) -> u32 {
        let mut list = signature.to_vec();
        if !signature.is_empty() {
            list.extend(u16::try_from(cells.len()).unwrap().to_le_bytes());
        }
        for cell in cells {
            list.extend(cell.to_le_bytes());
            list.resize(list.len() + width - 4, 0);
        }
        self.add(&list)
    }

    /// Adds a security descriptor, the only one, without owner and lists.
    pub(crate) fn security(&mut self, users: u32) -> u32 {
        let own = self.next();
        let mut cell = b"sk\0\0".to_vec();
        for word in [own, own, users, 20] {
            cell.extend(word.to_le_bytes());
        }
        cell.extend(*b"\x01\0\0\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
        self.add(&cell)
    }

    /// Makes the hive: version 1.`minor`, at `path` by its own word.
    pub(crate) fn hive(mut self, root: u32, minor: u32, path: &str) -> Vec<u8> {
        // Behind the last cell there is a free one.
        let size = (self.0.len() + 32 + 8).next_multiple_of(4096);
        let free = size - 32 - self.0.len();
        self.0.extend(u32::try_from(free).unwrap().to_le_bytes());
        self.0.resize(size - 32, 0);
        let size = u32::try_from(size).unwrap();
        let mut base = b"regf".to_vec();
        for word in [1, 1, 0, 0, 1, minor, 0, 1, root, size, 1] {
            base.extend(word.to_le_bytes());
        }
        base.extend(name(path, false));
        base.resize(508, 0);
        let words = base.chunks(4).map(|word| u32::from_le_bytes(word.try_into().unwrap()));
        base.extend(words.fold(0, |sum, word| sum ^ word).to_le_bytes());
        base.resize(4096, 0);
        base.extend(b"hbin\0\0\0\0");
        base.extend(size.to_le_bytes());
        base.resize(4096 + 32, 0);
        [base, self.0].concat()
    }
}

/// Makes a hive of nothing but its root.
pub(crate) fn minimal(minor: u32, path: &str) -> Vec<u8> {
    let mut cells = Cells::default();
    let security = cells.security(1);
    let root = cells.key(&Key { name: "$$$", security, ..Key::default() });
    cells.hive(root, minor, path)
}

fn name(text: &str, is_latin: bool) -> Vec<u8> {
    if is_latin {
        return text.chars().map(|letter| u8::try_from(u32::from(letter)).unwrap()).collect();
    }
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}
