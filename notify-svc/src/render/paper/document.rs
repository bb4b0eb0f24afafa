//! The file around the pages (ISO 32000-1).

use flate2::{Compress, Compression, FlushCompress, Status};
use pdf_writer::types::{CidFontType, FontFlags, SystemInfo, UnicodeCmap};
use pdf_writer::{Date, Filter, Finish as _, Name, Pdf, Rect, Ref, Str, TextStr};
use time::OffsetDateTime;

use super::subset::Subset;
use super::text::Fonts;
use crate::render::RenderError;

/// The next one makes a ticket a seventh smaller and takes half as long again for all of it.
const LEVEL: Compression = Compression::new(1);

/// What the file says about itself.
pub(in crate::render) struct About<'a> {
    pub title: &'a str,
    pub author: &'a str,
    /// A BCP 47 tag.
    pub language: &'a str,
    /// When the facts were fixed, not when this file was made: rendering again changes nothing.
    pub at: OffsetDateTime,
}

/// What is drawn, each piece by [`Sheet::finish`](super::Sheet::finish).
pub(in crate::render) struct Pages {
    /// Width and height in points.
    pub size: (f32, f32),
    /// Under each page; stored once.
    pub common: Vec<u8>,
    pub pages: Vec<Vec<u8>>,
}

/// The names of objects, counted up.
struct Refs(i32);

impl Refs {
    fn next(&mut self) -> Ref {
        self.0 += 1;
        Ref::new(self.0)
    }
}

/// The same drawings always give the same bytes.
///
/// # Errors
/// When a stream cannot be compressed, which is a bug.
pub(in crate::render) fn document(
    about: &About<'_>,
    fonts: &Fonts,
    pages: &Pages,
) -> Result<Vec<u8>, RenderError> {
    let (mut refs, mut deflate) = (Refs(0), Deflate::new());
    let mut pdf = Pdf::with_capacity(32 * 1024);
    pdf.set_version(1, 7);
    let (catalog, tree, info) = (refs.next(), refs.next(), refs.next());
    let mut root = pdf.catalog(catalog);
    root.pages(tree).lang(TextStr(about.language));
    root.viewer_preferences().display_doc_title(true);
    root.finish();
    info_of(about, &mut pdf, info);

    let mut resources = Vec::new();
    for (name, subset) in [(&b"R"[..], &fonts.regular), (b"B", &fonts.bold)] {
        if !subset.is_empty() {
            resources.push((name, font(&mut pdf, &mut refs, &mut deflate, subset)?));
        }
    }
    let common = (!pages.common.is_empty()).then(|| refs.next());
    if let Some(common) = common {
        let stream = deflate.stream(&pages.common)?;
        pdf.stream(common, stream).filter(Filter::FlateDecode);
    }
    let mut kids = Vec::new();
    for drawing in &pages.pages {
        let (page, content) = (refs.next(), refs.next());
        let stream = deflate.stream(drawing)?;
        pdf.stream(content, stream).filter(Filter::FlateDecode);
        let mut page_object = pdf.page(page);
        page_object.parent(tree);
        page_object.contents_array(common.into_iter().chain([content]));
        page_object.finish();
        kids.push(page);
    }
    let mut all = pdf.pages(tree);
    all.count(i32::try_from(kids.len()).unwrap_or(i32::MAX));
    all.kids(kids);
    all.media_box(Rect::new(0.0, 0.0, pages.size.0, pages.size.1));
    let mut dictionary = all.resources();
    let mut named = dictionary.fonts();
    for (name, font) in resources {
        named.pair(Name(name), font);
    }
    named.finish();
    dictionary.finish();
    all.finish();
    Ok(pdf.finish())
}

fn info_of(about: &About<'_>, pdf: &mut Pdf, info: Ref) {
    let at = about.at.to_offset(time::UtcOffset::UTC);
    let date = Date::new(u16::try_from(at.year()).unwrap_or_default())
        .month(at.month().into())
        .day(at.day())
        .hour(at.hour())
        .minute(at.minute())
        .second(at.second())
        .utc_offset_hour(0)
        .utc_offset_minute(0);
    let mut document_info = pdf.document_info(info);
    document_info.title(TextStr(about.title));
    document_info.author(TextStr(about.author));
    document_info.producer(TextStr("Boxoffice"));
    document_info.creation_date(date);
}

/// A font of two-byte codes, which are the glyphs of the embedded file.
fn font(
    pdf: &mut Pdf,
    refs: &mut Refs,
    deflate: &mut Deflate,
    subset: &Subset,
) -> Result<Ref, RenderError> {
    let [composite, descendant, descriptor, file, texts] = std::array::from_fn(|_| refs.next());
    // Six letters in front say that it is a subset.
    let name = format!("BOXOFC+{}", subset.face.name);
    let name = Name(name.as_bytes());
    let system = SystemInfo {
        registry: Str(b"Adobe"),
        ordering: Str(b"Identity"),
        supplement: 0,
    };
    pdf.type0_font(composite)
        .base_font(name)
        .encoding_predefined(Name(b"Identity-H"))
        .descendant_font(descendant)
        .to_unicode(texts);

    let mut cid = pdf.cid_font(descendant);
    cid.subtype(CidFontType::Type2).base_font(name);
    cid.system_info(system).font_descriptor(descriptor);
    cid.default_width(0.0)
        .cid_to_gid_map_predefined(Name(b"Identity"));
    cid.widths().consecutive(0, subset.widths());
    cid.finish();

    let em = |units: i16| f32::from(units) * 1000.0 / f32::from(subset.face.units_per_em());
    let (ascent, descent, capital) = subset.face.vertical();
    let [left, bottom, right, top] = subset.face.bounds().map(em);
    pdf.font_descriptor(descriptor)
        .name(name)
        .flags(FontFlags::SYMBOLIC)
        .bbox(Rect::new(left, bottom, right, top))
        .italic_angle(0.0)
        .ascent(em(ascent))
        .descent(em(descent))
        .cap_height(em(capital))
        .stem_v(subset.face.stem_width)
        .font_file2(file);

    let font_file = subset.file();
    let stream = deflate.stream(&font_file)?;
    pdf.stream(file, stream).filter(Filter::FlateDecode).pair(
        Name(b"Length1"),
        i32::try_from(font_file.len()).unwrap_or(i32::MAX),
    );

    let mut cmap = UnicodeCmap::new(Name(b"Boxoffice"), system);
    for (code, text) in subset.texts() {
        cmap.pair_with_multiple(code, text.chars());
    }
    let cmap = cmap.finish();
    let stream = deflate.stream(cmap.as_slice())?;
    pdf.cmap(texts, stream).filter(Filter::FlateDecode);
    Ok(composite)
}

/// One compressor for all streams of a document: setting one up costs more than most of them.
struct Deflate {
    compressor: Compress,
    stream: Vec<u8>,
}

impl Deflate {
    fn new() -> Self {
        Self {
            compressor: Compress::new(LEVEL, true),
            stream: Vec::new(),
        }
    }

    fn stream(&mut self, bytes: &[u8]) -> Result<&[u8], RenderError> {
        self.compressor.reset();
        self.stream.clear();
        // Deflate grows what it cannot shrink by five bytes in 16 KiB, and the frame has six.
        self.stream.reserve(bytes.len() + bytes.len() / 1024 + 64);
        let finish = FlushCompress::Finish;
        let status = self
            .compressor
            .compress_vec(bytes, &mut self.stream, finish);
        match status {
            Ok(Status::StreamEnd) => Ok(&self.stream),
            other => Err(RenderError::Pdf(format!("a stream ended as {other:?}"))),
        }
    }
}
