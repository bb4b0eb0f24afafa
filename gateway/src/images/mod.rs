//! Pictures of events: made into a few sizes of one format where they come in, kept in a folder or a
//! bucket under names that are never used twice, and sent to be kept for ever.

use std::sync::Arc;

use bytes::Bytes;
use gentle::Gentle;
use kit::{Code, ErrorReason, Failure};
use tokio::sync::Semaphore;

use crate::Config;

mod make;
mod send;
mod store;

pub use make::{Kind, Picture, SHARE_SIZE, Size, sizes};
pub use send::image;
pub use store::{Place, S3};

use make::make;
use store::Store;

const PREFIX: &str = "/images/";

/// The address of one size, on this site.
pub fn path(key: &str, width: u32) -> String {
    format!("{PREFIX}{}", make::name(key, width))
}

/// The address of the cut for other sites.
pub fn share_path(key: &str) -> String {
    format!("{PREFIX}{}", make::share_name(key))
}

/// The longest that may be uploaded.
pub const UPLOAD_MAX_BYTES: usize = 10 * 1024 * 1024;
/// One at a time: a large photograph takes a second of a processor and some hundred megabytes.
const THREADS: usize = 1;
/// In work or waiting for it.
const AT_ONCE_MAX: usize = 4;
/// Asked of the store at once. Whoever comes while it is slow sees no picture, and takes no place of those who buy.
const READS_AT_ONCE_MAX: usize = 64;

pub struct Images {
    /// None where no place was set.
    store: Option<Store>,
    threads: Gentle,
    room: Arc<Semaphore>,
    reads: Semaphore,
}

impl Images {
    pub fn open(config: &Config) -> anyhow::Result<Self> {
        let store = match &config.images_store {
            Some(place) => Some(Store::open(place, &config.s3())?),
            None => None,
        };
        Ok(Self {
            store,
            threads: Gentle::start("images", THREADS),
            room: Arc::new(Semaphore::new(AT_ONCE_MAX)),
            reads: Semaphore::new(READS_AT_ONCE_MAX),
        })
    }

    /// Makes every size of an upload and keeps them. The same upload is the same picture.
    pub async fn keep(&self, kind: Kind, upload: Bytes) -> Result<Picture, Failure> {
        let store = self.store.as_ref().ok_or_else(|| {
            let rule = "cannot be kept: this installation has no IMAGES_STORE";
            kit::fields(vec![kit::FieldProblem::new("image", rule)])
        })?;
        let place = self.room.clone().try_acquire_owned().map_err(|_| {
            let detail = "Other pictures are still being made. Try again shortly.";
            Failure::refused(Code::Unavailable, ErrorReason::Overloaded, detail)
        })?;
        // The place goes with the work, which goes on when nobody waits for it any more.
        let work = move || {
            let made = make(kind, &upload);
            drop(place);
            made
        };
        let made = self.threads.run(work).await;
        let made = made.ok_or_else(|| Failure::internal("a picture could not be made"))?;
        let made = made.map_err(|unfit| kit::fields(vec![unfit.problem()]))?;
        store.put_all(made.files).await?;
        Ok(made.picture)
    }

    async fn get(&self, name: &str) -> Result<Bytes, Failure> {
        let Some(store) = &self.store else {
            return Err(Failure::not_found("picture"));
        };
        let _place = self.reads.try_acquire().map_err(|_| {
            let detail = "Too many pictures are being fetched. Try again shortly.";
            Failure::refused(Code::Unavailable, ErrorReason::Overloaded, detail)
        })?;
        store.get(name).await
    }
}

#[cfg(test)]
mod tests {
    use super::{
        store::{Place, S3},
        *,
    };

    fn images(folder: &std::path::Path) -> Images {
        let s3 = S3 {
            endpoint: None,
            region: String::new(),
            access_key_id: None,
            secret_access_key: None,
        };
        let store = Store::open(&Place::Folder(folder.to_owned()), &s3);
        Images {
            store: Some(store.unwrap()),
            threads: Gentle::start("images", THREADS),
            room: Arc::new(Semaphore::new(AT_ONCE_MAX)),
            reads: Semaphore::new(READS_AT_ONCE_MAX),
        }
    }

    #[tokio::test]
    async fn so_many_are_fetched_at_once_and_no_more() {
        let folder = std::env::temp_dir().join(format!("reads-{}", std::process::id()));
        let images = images(&folder);
        let get = async || images.get("absent").await.unwrap_err().reason;
        let others = images.reads.acquire_many(63).await.unwrap();
        // Each takes the one place that is left, and gives it back.
        assert_eq!(get().await, ErrorReason::NotFound);
        assert_eq!(get().await, ErrorReason::NotFound);
        let last = images.reads.acquire().await.unwrap();
        assert_eq!(get().await, ErrorReason::Overloaded);
        drop((others, last));
        assert_eq!(get().await, ErrorReason::NotFound);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
