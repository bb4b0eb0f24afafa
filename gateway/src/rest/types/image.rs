use proto::ticket;
use serde::Serialize;
use utoipa::ToSchema;

use crate::images::{self, SHARE_SIZE, Size};

/// The picture of a concert. Addresses are paths of this site, and what they lead to never changes.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventImage {
    /// The largest size.
    #[schema(example = "/images/3f…-1920.jpg")]
    pub url: String,
    /// In pixels, like all widths and heights.
    #[schema(example = 1920)]
    pub width: u32,
    #[schema(example = 1080)]
    pub height: u32,
    /// What it shows, for who cannot see it; may be empty.
    pub alt: String,
    /// From the narrowest to the widest.
    pub sizes: Vec<ImageSize>,
    /// A cut of 1200 × 630, for links on other sites.
    pub share_url: String,
}

/// One size of a picture.
#[derive(Debug, Serialize, ToSchema)]
pub struct ImageSize {
    #[schema(example = "/images/3f…-480.jpg")]
    pub url: String,
    #[schema(example = 480)]
    pub width: u32,
    #[schema(example = 270)]
    pub height: u32,
}

impl EventImage {
    /// For `srcset`.
    pub fn srcset(&self) -> String {
        let sizes = self.sizes.iter();
        let parts = sizes.map(|size| format!("{} {}w", size.url, size.width));
        parts.collect::<Vec<_>>().join(", ")
    }

    /// Width and height of what `share_url` leads to.
    pub fn share_size() -> (u32, u32) {
        (SHARE_SIZE.width, SHARE_SIZE.height)
    }
}

impl From<ticket::EventImage> for EventImage {
    fn from(image: ticket::EventImage) -> Self {
        let largest = Size {
            width: image.width,
            height: image.height,
        };
        let sizes = images::sizes(largest).into_iter().map(|size| ImageSize {
            url: images::path(&image.key, size.width),
            width: size.width,
            height: size.height,
        });
        Self {
            url: images::path(&image.key, image.width),
            width: image.width,
            height: image.height,
            alt: image.alt,
            sizes: sizes.collect(),
            share_url: images::share_path(&image.key),
        }
    }
}
