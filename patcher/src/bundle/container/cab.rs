//! Cabinets, read through the `cab` crate and held to what bundles need.
//!
//! Names in a cabinet are separated by `\`; they are taken with `/`, as everywhere here.

use std::io::{Error, ErrorKind, SeekFrom};

use ::cab::Cabinet;

use super::{ContainerError, ContainerKind, Source, read_limited};
use crate::target_path::TargetPath;

/// An opened cabinet, with the names as they are spelled in it.
pub(super) struct Cab {
    cabinet: Cabinet<Box<dyn Source>>,
    spelled: Vec<String>,
}

/// Where `cbCabinet`, the size of the whole cabinet, stands in its header.
const SIZE_AT: usize = 8;

/// Reads the directory and returns the cabinet with the names of its files in order.
pub(super) fn open(mut source: Box<dyn Source>) -> Result<(Cab, Vec<String>), ContainerError> {
    check_size(&mut source)?;
    let cabinet = Cabinet::new(source).map_err(directory)?;
    let spelled: Vec<String> = cabinet
        .folder_entries()
        .flat_map(|folder| folder.file_entries())
        .map(|file| file.name().to_owned())
        .collect();
    let names = spelled.iter().map(|name| name.replace('\\', "/")).collect();
    Ok((Cab { cabinet, spelled }, names))
}

impl Cab {
    /// Reads the file at `index`.
    pub(super) fn read(
        &mut self,
        index: usize,
        name: &TargetPath,
        limit: u64,
    ) -> Result<Vec<u8>, ContainerError> {
        let missing = || ContainerError::Missing { name: name.clone() };
        let spelled = self.spelled.get(index).ok_or_else(missing)?;
        let stream = self
            .cabinet
            .read_file(spelled)
            .map_err(|source| ContainerError::Damaged { name: name.clone(), source: source.into() })?;
        read_limited(stream, name, limit)
    }
}

/// Refuses a cabinet that is shorter or longer than its header says: the directory alone would not show a cut.
fn check_size(source: &mut dyn Source) -> Result<(), ContainerError> {
    let mut header = [0; SIZE_AT + 4];
    source.read_exact(&mut header).map_err(directory)?;
    let [.., a, b, c, d] = header;
    let wanted = u64::from(u32::from_le_bytes([a, b, c, d]));
    let found = source.seek(SeekFrom::End(0)).map_err(ContainerError::Read)?;
    source.seek(SeekFrom::Start(0)).map_err(ContainerError::Read)?;
    if found == wanted {
        return Ok(());
    }
    let what =
        format!("{found} bytes where its header says {wanted}: it is cut off or has something behind it");
    Err(ContainerError::Irregular { kind: ContainerKind::Cab, what })
}

fn directory(error: Error) -> ContainerError {
    match error.kind() {
        ErrorKind::UnexpectedEof | ErrorKind::InvalidData | ErrorKind::InvalidInput => {
            ContainerError::Directory { kind: ContainerKind::Cab, source: error.into() }
        }
        _ => ContainerError::Read(error),
    }
}
