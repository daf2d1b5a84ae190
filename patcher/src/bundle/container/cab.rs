//! Cabinets, read through the `cab` crate and held to what bundles need.
//!
//! Names in a cabinet are separated by `\`; they are taken with `/`, as everywhere here.

use std::io::{Error, ErrorKind};

use ::cab::Cabinet;

use super::{ContainerError, ContainerKind, Source, read_limited};
use crate::target_path::TargetPath;

/// An opened cabinet, with the names as they are spelled in it.
pub(super) struct Cab {
    cabinet: Cabinet<Box<dyn Source>>,
    spelled: Vec<String>,
}

/// Reads the directory and returns the cabinet with the names of its files in order.
pub(super) fn open(source: Box<dyn Source>) -> Result<(Cab, Vec<String>), ContainerError> {
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

fn directory(error: Error) -> ContainerError {
    match error.kind() {
        ErrorKind::UnexpectedEof | ErrorKind::InvalidData | ErrorKind::InvalidInput => {
            ContainerError::Directory { kind: ContainerKind::Cab, source: error.into() }
        }
        _ => ContainerError::Read(error),
    }
}
