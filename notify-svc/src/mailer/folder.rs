//! Without a mail server: a file per mail.

use std::{
    io,
    path::{Path, PathBuf},
};

use uuid::Uuid;

use super::{Class, MailError};

pub(super) struct Folder(PathBuf);

impl Folder {
    pub fn new(path: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(path)?;
        Ok(Self(path.to_owned()))
    }

    pub async fn write(&self, notification: Uuid, mail: Vec<u8>) -> Result<(), MailError> {
        let path = self.0.join(format!("{notification}.eml"));
        let written = write(&path, mail).await;
        written.map_err(|error| MailError::new(Class::Server, &error))
    }
}

/// A reader of the folder sees the whole mail or none.
async fn write(path: &Path, bytes: Vec<u8>) -> io::Result<()> {
    let unfinished = path.with_extension("tmp");
    tokio::fs::write(&unfinished, bytes).await?;
    tokio::fs::rename(unfinished, path).await
}
