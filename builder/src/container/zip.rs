//! Zip archives (PKWARE APPNOTE), written through the `zip` crate.
//!
//! Members are deflated at level 9, or stored where that is not smaller. Nothing of the machine gets in: made on
//! "Unix" with permissions 0644 wherever it is made, and no extra fields.

use std::collections::BTreeMap;
use std::io::{Cursor, Read, Seek, Write};

use ::zip::result::ZipResult;
use ::zip::write::SimpleFileOptions;
use ::zip::{CompressionMethod, System, ZipArchive, ZipWriter};

use qfe_patcher::bundle::SIGNATURE_FOLDER;
use qfe_patcher::bundle::keyring::RING_FOLDER;
use qfe_patcher::bundle::manifest::MANIFEST_NAME;

use super::{Contents, WriteError};
use qfe_patcher::bundle::container::ContainerKind;

/// Writes the members; see the module's text.
pub(super) fn write<W: Write + Seek>(contents: &Contents, out: W) -> ZipResult<W> {
    let mut archive = ZipWriter::new(out);
    for (name, bytes) in contents.entries() {
        add(&mut archive, name, bytes)?;
    }
    archive.finish()
}

fn options(method: CompressionMethod) -> SimpleFileOptions {
    let level = (method == CompressionMethod::Deflated).then_some(9);
    SimpleFileOptions::DEFAULT
        .compression_method(method)
        .compression_level(level)
        .system(System::Unix)
        .unix_permissions(0o644)
}

/// Adds a member by the shorter of the two methods.
fn add<W: Write + Seek>(archive: &mut ZipWriter<W>, name: &str, bytes: &[u8]) -> ZipResult<()> {
    let mut deflated = deflated(name, bytes)?;
    let entry = deflated.by_index_raw(0)?;
    if entry.compressed_size() < entry.size() {
        return archive.raw_copy_file(entry);
    }
    archive.start_file(name, options(CompressionMethod::Stored))?;
    Ok(archive.write_all(bytes)?)
}

/// Makes an archive with one deflated member.
fn deflated(name: &str, bytes: &[u8]) -> ZipResult<ZipArchive<Cursor<Vec<u8>>>> {
    let mut trial = ZipWriter::new(Cursor::new(Vec::new()));
    trial.start_file(name, options(CompressionMethod::Deflated))?;
    trial.write_all(bytes)?;
    trial.finish_into_readable()
}

/// Returns how many bytes a member takes: deflated, or stored where that is not smaller.
pub fn packed_len(bytes: &[u8]) -> Result<u64, WriteError> {
    let mut trial = deflated("x", bytes).map_err(|error| WriteError::new(ContainerKind::Zip, error))?;
    let entry = trial.by_index_raw(0).map_err(|error| WriteError::new(ContainerKind::Zip, error))?;
    Ok(entry.compressed_size().min(entry.size()))
}

/// Copies an archive with some signatures or key rings more; the other members' compressed bytes are copied as they are.
pub fn add_members<W: Write + Seek>(
    source: impl Read + Seek,
    added: &BTreeMap<String, Vec<u8>>,
    out: W,
) -> Result<W, WriteError> {
    copy_with(source, added, out).map_err(|error| WriteError::new(ContainerKind::Zip, error))
}

fn copy_with<W: Write + Seek>(
    source: impl Read + Seek,
    added: &BTreeMap<String, Vec<u8>>,
    out: W,
) -> ZipResult<W> {
    let mut source = ZipArchive::new(source)?;
    let mut copies = (0..source.len())
        .map(|index| Ok((source.by_index_raw(index)?.name()?.into_owned(), Some(index))))
        .collect::<ZipResult<Vec<_>>>()?;
    copies.extend(added.keys().map(|name| (name.clone(), None)));
    copies.sort_by_cached_key(|(name, _)| {
        let is_ring = name.starts_with(RING_FOLDER);
        (name != MANIFEST_NAME, !name.starts_with(SIGNATURE_FOLDER), !is_ring, name.clone())
    });
    let mut archive = ZipWriter::new(out);
    for (name, index) in copies {
        match index {
            Some(index) => archive.raw_copy_file(source.by_index_raw(index)?)?,
            None => add(&mut archive, &name, added.get(&name).map_or(&[], Vec::as_slice))?,
        }
    }
    archive.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_is_taken_where_deflate_gains_nothing() {
        assert_eq!(packed_len(b"").unwrap(), 0);
        assert_eq!(packed_len(b"x").unwrap(), 1);
        assert!(packed_len(&[0; 1000]).unwrap() < 20);
    }

    #[test]
    fn a_signature_added_later_gives_the_bytes_of_one_written_at_once() {
        let mut contents = Contents {
            manifest: b"{}".repeat(99),
            signatures: [("signatures/0B.minisig".to_owned(), "second".repeat(9))].into(),
            rings: BTreeMap::new(),
            members: [("alpha/x".parse().unwrap(), vec![7; 999])].into(),
        };
        let one = write(&contents, Cursor::new(Vec::new())).unwrap().into_inner();
        let text = "first".repeat(9);
        let (name, ring) = ("keyring/1.toml".to_owned(), b"ring".to_vec());
        let added =
            [("signatures/0A.minisig".to_owned(), text.clone().into_bytes()), (name.clone(), ring.clone())];
        let added = add_members(Cursor::new(one), &added.into(), Cursor::new(Vec::new())).unwrap();
        contents.rings.insert(name, ring);
        contents.signatures.insert("signatures/0A.minisig".to_owned(), text);
        let both = write(&contents, Cursor::new(Vec::new())).unwrap();
        assert!(added.into_inner() == both.into_inner());
    }

    #[test]
    fn no_time_system_or_extra_field_of_the_machine_gets_in() {
        let contents = Contents { manifest: vec![b'x'; 99], ..Contents::default() };
        let bytes = write(&contents, Cursor::new(Vec::new())).unwrap().into_inner();
        // APPNOTE 4.3.7, local file header: time at 10, date at 12 (1980-01-01 is 0x0021), extra length at 28.
        assert_eq!((&bytes[10..14], &bytes[28..30]), (&[0, 0, 0x21, 0][..], &[0, 0][..]));
        // APPNOTE 4.3.12, central header: made by at 4, of which 5 is the system; external attributes at 38.
        let central = bytes.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
        assert_eq!(bytes[central + 5], 3);
        assert_eq!(bytes[central + 38..central + 42], 0o100_644_u32.wrapping_shl(16).to_le_bytes());
    }
}
