//! From an upload to the sizes that pages use. Nothing of the upload itself is kept: what a camera wrote
//! into it (where it was taken, by whom) is gone, and so is whatever somebody hid in it.

use std::io::Cursor;

use bytes::Bytes;
use image::{
    DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, Rgb, RgbImage,
    codecs::jpeg::JpegEncoder, imageops::FilterType, metadata::Orientation,
};
use kit::FieldProblem;

/// Widths in pixels: a phone, a phone of many pixels or a tablet, a desk.
const WIDTHS: [u32; 3] = [480, 960, 1920];
/// What other sites show of a link, in pixels.
pub const SHARE_SIZE: Size = Size {
    width: 1200,
    height: 630,
};
const QUALITY: u8 = 82;
/// More is shrunk coarsely first, which costs a fraction.
const FINE_SIDE_MAX_PX: u32 = 3840;
const SIDE_MIN_PX: u32 = 200;
const SIDE_MAX_PX: u32 = 10_000;
/// Beyond it a picture is a stripe on every page.
const ASPECT_MAX: u32 = 10;
const PIXELS_MAX: u64 = 25_000_000;
/// Of the pixels as they are decoded; a few kilobytes can promise any number of them.
const DECODED_MAX_BYTES: u64 = 128 * 1024 * 1024;
/// Part of every name: other sizes or another quality are other files.
const RECIPE: &[u8] = b"boxoffice image 1";

/// What may be uploaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Jpeg,
    Png,
    WebP,
}

impl Kind {
    /// By the `Content-Type`.
    pub fn of(essence: &str) -> Option<Self> {
        match essence {
            "image/jpeg" => Some(Self::Jpeg),
            "image/png" => Some(Self::Png),
            "image/webp" => Some(Self::WebP),
            _ => None,
        }
    }

    fn format(self) -> ImageFormat {
        match self {
            Self::Jpeg => ImageFormat::Jpeg,
            Self::Png => ImageFormat::Png,
            Self::WebP => ImageFormat::WebP,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::WebP => "WebP",
        }
    }
}

/// In pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    pub width: u32,
    pub height: u32,
}

/// What is known of a picture without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    pub key: String,
    /// Of the largest one.
    pub size: Size,
}

/// A picture with its files by name.
pub struct Made {
    pub picture: Picture,
    pub files: Vec<(String, Bytes)>,
}

/// Why an upload is no picture for a page.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Unfit {
    #[error("cannot be read as a {}", .0.word())]
    Unreadable(Kind),
    #[error("must be at least {SIDE_MIN_PX} pixels wide and high")]
    TooSmall,
    #[error(
        "must be at most {SIDE_MAX_PX} pixels wide and high, and have at most 25 million of them"
    )]
    TooLarge,
    #[error(
        "must be at most {ASPECT_MAX} times as wide as high, and at most {ASPECT_MAX} times as high as wide"
    )]
    TooNarrow,
}

impl Unfit {
    pub fn problem(&self) -> FieldProblem {
        FieldProblem::new("image", self)
    }
}

/// The sizes that there are of a picture, by the largest one; nothing is ever enlarged.
pub fn sizes(largest: Size) -> Vec<Size> {
    let narrower = WIDTHS.iter().filter(|width| **width < largest.width);
    let at = |width: &u32| Size {
        width: *width,
        height: scaled(largest, *width),
    };
    narrower.map(at).chain([largest]).collect()
}

pub fn name(key: &str, width: u32) -> String {
    format!("{key}-{width}.jpg")
}

pub fn share_name(key: &str) -> String {
    format!("{key}-share.jpg")
}

/// Whether a file could have this name: anything else is not asked for.
pub fn is_name(name: &str) -> bool {
    let parts = name
        .strip_suffix(".jpg")
        .and_then(|name| name.split_once('-'));
    let Some((key, of)) = parts else {
        return false;
    };
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let is_width = !of.is_empty() && of.len() <= 4 && of.bytes().all(|byte| byte.is_ascii_digit());
    key.len() == 64 && key.bytes().all(is_hex) && (is_width || of == "share")
}

fn scaled(of: Size, width: u32) -> u32 {
    let height = u64::from(of.height) * u64::from(width) / u64::from(of.width.max(1));
    u32::try_from(height).map_or(of.height, |height| height.max(1))
}

/// Takes a while: not for a thread that answers.
pub fn make(kind: Kind, upload: &[u8]) -> Result<Made, Unfit> {
    let image = upright(kind, upload)?;
    let own = Size {
        width: image.width(),
        height: image.height(),
    };
    let width = own.width.min(WIDTHS[WIDTHS.len() - 1]);
    let largest = Size {
        width,
        height: scaled(own, width),
    };
    let key = base::hex(&base::body_hash(&[RECIPE, kind.word().as_bytes(), upload]));
    let mut files = Vec::new();
    for size in sizes(largest) {
        let sized = image.resize_exact(size.width, size.height, FilterType::CatmullRom);
        files.push((name(&key, size.width), encoded(kind, sized)?));
    }
    let Size { width, height } = SHARE_SIZE;
    let shared = image.resize_to_fill(width, height, FilterType::CatmullRom);
    files.push((share_name(&key), encoded(kind, shared)?));
    let picture = Picture { key, size: largest };
    Ok(Made { picture, files })
}

/// As it is meant to be looked at, without anything transparent, and not much larger than needed.
fn upright(kind: Kind, upload: &[u8]) -> Result<DynamicImage, Unfit> {
    let unreadable = |_| Unfit::Unreadable(kind);
    let mut reader = ImageReader::with_format(Cursor::new(upload), kind.format());
    let mut limits = Limits::default();
    limits.max_image_width = Some(SIDE_MAX_PX);
    limits.max_image_height = Some(SIDE_MAX_PX);
    limits.max_alloc = Some(DECODED_MAX_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|error| match error {
        image::ImageError::Limits(_) => Unfit::TooLarge,
        _ => Unfit::Unreadable(kind),
    })?;
    let (width, height) = decoder.dimensions();
    let many = u64::from(width) * u64::from(height) > PIXELS_MAX;
    if many || decoder.total_bytes() > DECODED_MAX_BYTES {
        return Err(Unfit::TooLarge);
    }
    if width.min(height) < SIDE_MIN_PX {
        return Err(Unfit::TooSmall);
    }
    if width.max(height) > width.min(height) * ASPECT_MAX {
        return Err(Unfit::TooNarrow);
    }
    // Half a JPEG is half grey, and no error.
    if kind == Kind::Jpeg && !has_end(upload) {
        return Err(Unfit::Unreadable(kind));
    }
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder).map_err(unreadable)?;
    if width.max(height) > FINE_SIDE_MAX_PX {
        image = image.thumbnail(FINE_SIDE_MAX_PX, FINE_SIDE_MAX_PX);
    }
    let mut image = DynamicImage::ImageRgb8(on_white(image));
    image.apply_orientation(orientation);
    Ok(image)
}

fn on_white(image: DynamicImage) -> RgbImage {
    if !image.color().has_alpha() {
        return image.into_rgb8();
    }
    let image = image.into_rgba8();
    let mut flat = RgbImage::new(image.width(), image.height());
    for (to, from) in flat.pixels_mut().zip(image.pixels()) {
        let [red, green, blue, alpha] = from.0.map(u32::from);
        let over = |part: u32| u8::try_from((part * alpha + 255 * (255 - alpha)) / 255);
        *to = Rgb([red, green, blue].map(|part| over(part).unwrap_or(u8::MAX)));
    }
    flat
}

fn encoded(kind: Kind, image: DynamicImage) -> Result<Bytes, Unfit> {
    let mut bytes = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut bytes, QUALITY);
    let written = image.into_rgb8().write_with_encoder(encoder);
    written.map_err(|_| Unfit::Unreadable(kind))?;
    Ok(bytes.into())
}

/// Whether a JPEG comes to its own end: ITU T.81, annex B. What stands behind it is nobody's matter.
fn has_end(jpeg: &[u8]) -> bool {
    const END: u8 = 0xd9;
    const SCAN: u8 = 0xda;
    let mut rest = jpeg.get(2..).unwrap_or_default();
    loop {
        // A marker may have any number of fill bytes before it.
        let [0xff, marker, after @ ..] = rest else {
            return false;
        };
        rest = match *marker {
            0xff => &rest[1..],
            END => return true,
            // Without a length of their own.
            0x01 | 0xd0..=0xd8 => after,
            marker => {
                let [high, low, ..] = after else {
                    return false;
                };
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                let behind = after.get(length..).unwrap_or_default();
                if marker == SCAN {
                    behind_scan(behind)
                } else {
                    behind
                }
            }
        };
    }
}

/// From the marker on that ends what a scan holds.
fn behind_scan(scan: &[u8]) -> &[u8] {
    let is_end = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0x00 | 0xd0..=0xd7);
    let end = scan.windows(2).position(is_end);
    end.map_or(&[], |end| &scan[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Red above, blue below.
    fn two_halves(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |_, y| {
            if y < height / 2 {
                Rgb([200, 0, 0])
            } else {
                Rgb([0, 0, 200])
            }
        })
    }

    fn upload(image: &DynamicImage, kind: Kind) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, kind.format()).unwrap();
        bytes.into_inner()
    }

    fn read(files: &[(String, Bytes)], number: usize) -> RgbImage {
        let (_, bytes) = &files[number];
        image::load_from_memory_with_format(bytes, ImageFormat::Jpeg)
            .unwrap()
            .into_rgb8()
    }

    fn refused(kind: Kind, upload: &[u8]) -> Unfit {
        make(kind, upload).err().unwrap()
    }

    /// With a word for the camera's: which way up it is.
    fn with_orientation(jpeg: &[u8], orientation: u8) -> Vec<u8> {
        let tiff = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0";
        let exif = [&tiff[..], &[orientation, 0, 0, 0, 0, 0, 0]].concat();
        let length = u16::try_from(exif.len() + 2).unwrap().to_be_bytes();
        [&jpeg[..2], &[0xff, 0xe1], &length, &exif, &jpeg[2..]].concat()
    }

    #[test]
    fn sizes_are_never_enlarged() {
        let of = |width, height| {
            let all = sizes(Size { width, height });
            all.iter()
                .map(|size| (size.width, size.height))
                .collect::<Vec<_>>()
        };
        assert_eq!(of(1920, 1080), [(480, 270), (960, 540), (1920, 1080)]);
        assert_eq!(of(960, 400), [(480, 200), (960, 400)]);
        assert_eq!(of(300, 900), [(300, 900)]);
    }

    #[test]
    fn names() {
        let key = "0123456789abcdef".repeat(4);
        assert!(is_name(&name(&key, 1920)) && is_name(&share_name(&key)));
        for bad in [
            "",
            "x.jpg",
            "../secrets/orders",
            &format!("{key}.jpg"),
            &format!("{key}-.jpg"),
            &format!("{key}-99999.jpg"),
            &format!("{key}-..jpg"),
            &format!("{key}-480.png"),
            &format!("../{}-480.jpg", &key[3..]),
            &format!("{}-480.jpg", key.to_uppercase()),
        ] {
            assert!(!is_name(bad), "{bad}");
        }
    }

    #[test]
    fn every_kind_becomes_the_same_sizes() {
        let image = DynamicImage::ImageRgb8(two_halves(2400, 1200));
        for kind in [Kind::Jpeg, Kind::Png, Kind::WebP] {
            let made = make(kind, &upload(&image, kind)).unwrap();
            assert_eq!(
                (made.picture.size.width, made.picture.size.height),
                (1920, 960)
            );
            let sizes: Vec<_> = (0..4)
                .map(|at| read(&made.files, at).dimensions())
                .collect();
            assert_eq!(
                sizes,
                [(480, 240), (960, 480), (1920, 960), (1200, 630)],
                "{kind:?}"
            );
            let largest = read(&made.files, 2);
            assert!(largest.get_pixel(5, 5).0[0] > 150 && largest.get_pixel(5, 950).0[2] > 150);
            assert!(made.files.iter().all(|(name, _)| is_name(name)));
        }
    }

    #[test]
    fn the_camera_s_word_for_up_is_followed_and_nothing_else_of_it_is_kept() {
        let upright = upload(&DynamicImage::ImageRgb8(two_halves(600, 400)), Kind::Jpeg);
        // 6: turn it to the right to see it as it was.
        let turned = with_orientation(&upright, 6);
        let made = make(Kind::Jpeg, &turned).unwrap();
        assert_eq!(
            (made.picture.size.width, made.picture.size.height),
            (400, 600)
        );
        let image = read(&made.files, 0);
        let (left, right) = (image.get_pixel(20, 300).0, image.get_pixel(380, 300).0);
        assert!(left[2] > 150 && right[0] > 150, "{left:?} {right:?}");
        for (_, bytes) in &made.files {
            assert!(!bytes.windows(4).any(|word| word == b"Exif"));
        }
    }

    #[test]
    fn what_is_transparent_becomes_white() {
        let clear = image::RgbaImage::from_pixel(300, 300, image::Rgba([9, 9, 9, 0]));
        let made = make(
            Kind::Png,
            &upload(&DynamicImage::ImageRgba8(clear), Kind::Png),
        )
        .unwrap();
        assert!(
            read(&made.files, 0)
                .get_pixel(9, 9)
                .0
                .iter()
                .all(|part| *part > 250)
        );
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        let image = DynamicImage::ImageRgb8(two_halves(400, 400));
        for kind in [Kind::Jpeg, Kind::Png, Kind::WebP] {
            let whole = upload(&image, kind);
            let half = &whole[..whole.len() / 2];
            assert_eq!(
                refused(kind, half),
                Unfit::Unreadable(kind),
                "half a {kind:?}"
            );
            assert_eq!(refused(kind, b""), Unfit::Unreadable(kind));
            assert_eq!(
                refused(kind, b"<svg onload=alert(1)>"),
                Unfit::Unreadable(kind)
            );
        }
        // It is what it says it is, or nothing.
        let png = upload(&image, Kind::Png);
        assert_eq!(refused(Kind::Jpeg, &png), Unfit::Unreadable(Kind::Jpeg));
        let short = upload(&image, Kind::Jpeg);
        assert_eq!(
            refused(Kind::Jpeg, &short[..short.len() - 2]),
            Unfit::Unreadable(Kind::Jpeg)
        );
    }

    #[test]
    fn a_stripe_is_refused_as_one() {
        let of = |width, height| {
            let image = DynamicImage::ImageRgb8(two_halves(width, height));
            make(Kind::Jpeg, &upload(&image, Kind::Jpeg)).map(|made| made.picture.size)
        };
        let panorama = of(2_000, 200).unwrap();
        assert_eq!((panorama.width, panorama.height), (1920, 192));
        assert_eq!(of(2_001, 200).unwrap_err(), Unfit::TooNarrow);
        assert_eq!(of(200, 2_001).unwrap_err(), Unfit::TooNarrow);
    }

    #[test]
    fn what_hangs_on_a_picture_is_not_kept() {
        let image = upload(&DynamicImage::ImageRgb8(two_halves(400, 400)), Kind::Jpeg);
        let page = [&image[..], b"<script>alert(1)</script>"].concat();
        let made = make(Kind::Jpeg, &page).unwrap();
        for (_, bytes) in &made.files {
            assert!(!bytes.windows(7).any(|word| word == b"<script"));
        }
        assert_ne!(
            made.picture.key,
            make(Kind::Jpeg, &image).unwrap().picture.key
        );
    }

    /// As PNG numbers them.
    const RGB: u8 = 2;
    const RGB_AND_ALPHA: u8 = 6;

    /// The head of a PNG of so many pixels; what follows need not be there.
    fn promise(width: u32, height: u32) -> Vec<u8> {
        promise_of(width, height, [8, RGB])
    }

    fn promise_of(width: u32, height: u32, [depth, colour]: [u8; 2]) -> Vec<u8> {
        let real = upload(&DynamicImage::ImageRgb8(two_halves(200, 200)), Kind::Png);
        let mut head = real[12..29].to_vec();
        head[4..8].copy_from_slice(&width.to_be_bytes());
        head[8..12].copy_from_slice(&height.to_be_bytes());
        head[12..14].copy_from_slice(&[depth, colour]);
        let mut sum = flate2::Crc::new();
        sum.update(&head);
        [&real[..12], &head, &sum.sum().to_be_bytes(), &real[33..]].concat()
    }

    #[test]
    fn a_bomb_is_refused_by_what_it_promises() {
        assert_eq!(refused(Kind::Png, &promise(9_999, 9_999)), Unfit::TooLarge);
        assert_eq!(refused(Kind::Png, &promise(100_000, 300)), Unfit::TooLarge);
        assert_eq!(refused(Kind::Png, &promise(300, 100_000)), Unfit::TooLarge);
        // Each bound alone: a side, the pixels, what they take in memory.
        assert_eq!(refused(Kind::Png, &promise(10_001, 2_000)), Unfit::TooLarge);
        assert_eq!(refused(Kind::Png, &promise(5_100, 5_000)), Unfit::TooLarge);
        assert_eq!(
            refused(Kind::Png, &promise_of(4_900, 4_900, [16, RGB_AND_ALPHA])),
            Unfit::TooLarge
        );
        let small = DynamicImage::ImageRgb8(two_halves(199, 900));
        assert_eq!(
            refused(Kind::Png, &upload(&small, Kind::Png)),
            Unfit::TooSmall
        );
        assert_eq!(
            refused(Kind::Png, &promise(4_999, 4_999)),
            Unfit::Unreadable(Kind::Png)
        );
    }
}
