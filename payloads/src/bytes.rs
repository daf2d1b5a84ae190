//! A growing little-endian buffer, measured in `u32` as images are.

/// Bytes under construction.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bytes(Vec<u8>);

impl Bytes {
    pub(crate) fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn len(&self) -> u32 {
        u32::try_from(self.0.len()).expect("a sample image is far below 4 GiB")
    }

    pub(crate) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(crate) fn u16(&mut self, value: u16) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn put(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Appends `bytes` and a terminating zero.
    pub(crate) fn put_z(&mut self, bytes: &[u8]) {
        self.put(bytes);
        self.u8(0);
    }

    /// Appends zeros up to the next multiple of `alignment`.
    pub(crate) fn align(&mut self, alignment: u32) {
        self.zeros_to(self.len().next_multiple_of(alignment));
    }

    /// Appends zeros until the length is `length`; a longer buffer stays as it is.
    pub(crate) fn zeros_to(&mut self, length: u32) {
        let length = usize::try_from(length).expect("u32 fits usize");
        if length > self.0.len() {
            self.0.resize(length, 0);
        }
    }

    /// Writes over the four bytes at `at`, which exist already.
    pub(crate) fn set_u32(&mut self, at: u32, value: u32) {
        self.overwrite(at, &value.to_le_bytes());
    }

    /// Writes over the two bytes at `at`, which exist already.
    pub(crate) fn set_u16(&mut self, at: u32, value: u16) {
        self.overwrite(at, &value.to_le_bytes());
    }

    /// Writes over the bytes from `at` on, which exist already.
    pub(crate) fn overwrite(&mut self, at: u32, value: &[u8]) {
        let at = usize::try_from(at).expect("u32 fits usize");
        self.0
            .get_mut(at..at + value.len())
            .expect("a field is written over only after it was written")
            .copy_from_slice(value);
    }

    /// Reads the four bytes at `at`, which exist already.
    pub(crate) fn u32_at(&self, at: u32) -> u32 {
        let at = usize::try_from(at).expect("u32 fits usize");
        let field = self.0.get(at..).and_then(|rest| rest.first_chunk());
        u32::from_le_bytes(*field.expect("a field is read only after it was written"))
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn into_vec(self) -> Vec<u8> {
        self.0
    }
}

/// The low 16 bits.
pub(crate) fn low16(value: u32) -> u16 {
    let [a, b, _, _] = value.to_le_bytes();
    u16::from_le_bytes([a, b])
}

/// The upper half of an address whose lower half is added with its sign: `(high << 16) + (low as i16)`.
pub(crate) fn high16_adjusted(value: u32) -> u16 {
    let [_, _, c, d] = value.wrapping_add(0x8000).to_le_bytes();
    u16::from_le_bytes([c, d])
}

/// The length of a list, as images count.
pub(crate) fn count<T>(list: &[T]) -> u32 {
    u32::try_from(list.len()).expect("lists of a sample image are far shorter than 4 G")
}
