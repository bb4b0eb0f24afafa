//! Where the files of pictures are: a folder of this machine, or a bucket that every gateway can reach.

use std::{path::PathBuf, str::FromStr, sync::Arc, time::Duration};

use anyhow::Context as _;
use base::Secret;
use bytes::Bytes;
use futures::future::try_join_all;
use kit::Failure;
use object_store::{
    ClientOptions, ObjectStore, ObjectStoreExt as _, RetryConfig, aws::AmazonS3Builder,
    local::LocalFileSystem, path::Path, prefix::PrefixStore,
};

/// A page waits for it.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(4);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const RETRIES_MAX: usize = 2;
const AGAIN_AFTER: Duration = Duration::from_secs(2);

/// A folder, or `s3://bucket/prefix`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Folder(PathBuf),
    Bucket { name: String, prefix: String },
}

/// What a bucket is reached with.
#[derive(Clone, Debug)]
pub struct S3 {
    pub endpoint: Option<String>,
    pub region: String,
    pub access_key_id: Option<Secret>,
    pub secret_access_key: Option<Secret>,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("must be a folder, or s3://bucket or s3://bucket/prefix")]
pub struct PlaceError;

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let Some(bucket) = text.strip_prefix("s3://") else {
            let is_folder = !text.trim().is_empty() && !text.contains("://");
            return is_folder
                .then(|| Self::Folder(text.into()))
                .ok_or(PlaceError);
        };
        let (name, prefix) = bucket.split_once('/').unwrap_or((bucket, ""));
        let prefix = prefix.trim_matches('/').to_owned();
        let is_bucket = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_bucket) || Path::parse(&prefix).is_err() {
            return Err(PlaceError);
        }
        Ok(Self::Bucket {
            name: name.to_owned(),
            prefix,
        })
    }
}

pub struct Store(Arc<dyn ObjectStore>);

impl Store {
    /// A folder is made where it is not there yet; a bucket is first asked when something is wanted of it.
    pub fn open(place: &Place, s3: &S3) -> anyhow::Result<Self> {
        match place {
            Place::Folder(folder) => {
                let made = std::fs::create_dir_all(folder);
                made.with_context(|| format!("IMAGES_STORE {}", folder.display()))?;
                let files = LocalFileSystem::new_with_prefix(folder)?;
                Ok(Self(Arc::new(files.with_fsync(true))))
            }
            Place::Bucket { name, prefix } => {
                let bucket = PrefixStore::new(bucket(name, s3)?, prefix.as_str());
                Ok(Self(Arc::new(bucket)))
            }
        }
    }

    /// All of them, or it is an error; what is there already is the same.
    pub async fn put_all(&self, files: Vec<(String, Bytes)>) -> Result<(), Failure> {
        let put = files
            .into_iter()
            .map(|(name, bytes)| async move { self.0.put(&Path::from(name), bytes.into()).await });
        try_join_all(put).await.map_err(away)?;
        Ok(())
    }

    pub async fn get(&self, name: &str) -> Result<Bytes, Failure> {
        let found = self.0.get(&Path::from(name)).await;
        let found = found.map_err(|error| match error {
            object_store::Error::NotFound { .. } => Failure::not_found("picture"),
            // So S3 answers for what is not there, to a key that may not list. With a wrong key nothing
            // could be put either, and that is said.
            object_store::Error::PermissionDenied { .. } => Failure::not_found("picture"),
            error => away(error),
        })?;
        found.bytes().await.map_err(away)
    }
}

/// Keys are settings: nothing is read from the machine behind our back.
fn bucket(name: &str, s3: &S3) -> anyhow::Result<impl ObjectStore + use<>> {
    let missing = "IMAGES_STORE is a bucket: IMAGES_S3_ACCESS_KEY_ID and IMAGES_S3_SECRET_ACCESS_KEY are needed";
    let id = s3.access_key_id.as_ref().context(missing)?;
    let secret = s3.secret_access_key.as_ref().context(missing)?;
    let client = ClientOptions::new()
        .with_timeout(ANSWER_TIMEOUT)
        .with_connect_timeout(CONNECT_TIMEOUT);
    let retry = RetryConfig {
        max_retries: RETRIES_MAX,
        retry_timeout: ANSWER_TIMEOUT,
        ..RetryConfig::default()
    };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(name)
        .with_region(&s3.region)
        .with_access_key_id(id.expose())
        .with_secret_access_key(secret.expose())
        .with_client_options(client)
        .with_retry(retry);
    if let Some(endpoint) = &s3.endpoint {
        builder = builder
            .with_endpoint(endpoint)
            .with_allow_http(endpoint.starts_with("http://"));
    }
    builder.build().context("IMAGES_STORE")
}

fn away(error: object_store::Error) -> Failure {
    let detail = "Pictures are out of reach for a moment. Try again.";
    let mut failure = Failure::unavailable(detail, AGAIN_AFTER);
    failure.source = Some(error.into());
    failure
}

#[cfg(test)]
mod tests {
    use kit::ErrorReason;

    use super::*;

    fn s3(endpoint: Option<String>) -> S3 {
        S3 {
            endpoint,
            region: "us-east-1".to_owned(),
            access_key_id: Some(Secret::new("key")),
            secret_access_key: Some(Secret::new("secret")),
        }
    }

    #[test]
    fn places() {
        let folder = |path: &str| Ok(Place::Folder(path.into()));
        let bucket = |name: &str, prefix: &str| {
            let (name, prefix) = (name.to_owned(), prefix.to_owned());
            Ok(Place::Bucket { name, prefix })
        };
        for (text, place) in [
            ("/var/lib/images", folder("/var/lib/images")),
            ("images", folder("images")),
            ("s3://pictures", bucket("pictures", "")),
            ("s3://pictures/", bucket("pictures", "")),
            (
                "s3://pictures/box/office/",
                bucket("pictures", "box/office"),
            ),
            ("", Err(PlaceError)),
            (" ", Err(PlaceError)),
            ("s3://", Err(PlaceError)),
            ("s3:///prefix", Err(PlaceError)),
            ("s3://a b", Err(PlaceError)),
            ("s3://a/../b", Err(PlaceError)),
            ("https://example.org/images", Err(PlaceError)),
        ] {
            assert_eq!(text.parse::<Place>(), place, "{text}");
        }
    }

    #[test]
    fn a_bucket_needs_its_keys() {
        let place = "s3://pictures".parse().unwrap();
        assert!(Store::open(&place, &s3(None)).is_ok());
        let bare = S3 {
            secret_access_key: None,
            ..s3(None)
        };
        let refused = Store::open(&place, &bare).err().unwrap().to_string();
        assert!(refused.contains("IMAGES_S3_SECRET_ACCESS_KEY"), "{refused}");
    }

    #[tokio::test]
    async fn a_bucket_that_is_away_says_so_in_time() {
        let nobody = Some("http://127.0.0.1:9".to_owned());
        let store = Store::open(&"s3://pictures".parse().unwrap(), &s3(nobody)).unwrap();
        let begun = std::time::Instant::now();
        let failure = store.get("a.jpg").await.unwrap_err();
        assert_eq!(failure.reason, ErrorReason::Unavailable);
        assert!(begun.elapsed() < 2 * ANSWER_TIMEOUT);
    }

    #[tokio::test]
    #[ignore = "needs a server of S3: just s3"]
    async fn a_bucket_keeps_what_is_put_into_it() {
        #[expect(clippy::disallowed_methods, reason = "the recipe says where it runs")]
        let url = std::env::var("S3_URL").unwrap();
        let place = "s3://boxoffice-images/pictures".parse().unwrap();
        let store = Store::open(&place, &s3(Some(url.clone()))).unwrap();
        let files = ["a.jpg", "b.jpg"].map(|name| (name.to_owned(), Bytes::from(name)));
        store.put_all(files.to_vec()).await.unwrap();
        // Once more is the same.
        store.put_all(files.to_vec()).await.unwrap();
        assert_eq!(store.get("b.jpg").await.unwrap(), "b.jpg");
        let absent = store.get("c.jpg").await.unwrap_err();
        assert_eq!(absent.reason, ErrorReason::NotFound);
        let other = "s3://boxoffice-images/elsewhere".parse().unwrap();
        let other = Store::open(&other, &s3(Some(url.clone()))).unwrap();
        let absent = other.get("b.jpg").await.unwrap_err();
        assert_eq!(absent.reason, ErrorReason::NotFound);
        let no_bucket = Store::open(&"s3://no-such".parse().unwrap(), &s3(Some(url))).unwrap();
        assert!(no_bucket.put_all(files.to_vec()).await.is_err());
    }
}
