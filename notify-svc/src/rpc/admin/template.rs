//! What the operations on templates share.

use minijinja::Value;
use proto::notify::{Template, TemplateFact, TemplateVersion};
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::{
    error::Error,
    kinds::{Kind, samples},
    render::{Language, Wording},
    templates,
};

/// Versions that are shown.
const SHOWN: i64 = 20;

/// Which template is meant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    pub kind: Kind,
    pub language: Language,
}

impl Key {
    pub fn read(kind: &str, language: &str) -> Result<Self, Error> {
        let key = Kind::from_word(kind).zip(Language::from_tag(language));
        let (kind, language) = key.ok_or(Error::NotFound("template"))?;
        Ok(Self { kind, language })
    }

    pub fn builtin(self) -> &'static str {
        self.kind.source(self.language)
    }

    /// As the audit log names it.
    pub fn object(self) -> String {
        format!("{}/{}", self.kind.word(), self.language.tag())
    }
}

#[derive(Clone, Debug)]
pub(super) struct Row {
    pub version: i32,
    pub source: Option<String>,
    note: String,
    published_by: String,
    published_at: OffsetDateTime,
}

impl Row {
    pub fn source(&self, key: Key) -> &str {
        self.source.as_deref().unwrap_or(key.builtin())
    }

    fn wire(self) -> TemplateVersion {
        TemplateVersion {
            version: self.version.unsigned_abs(),
            source: self.source.unwrap_or_default(),
            note: self.note,
            published_by: self.published_by,
            published_at: Some(proto::timestamp(self.published_at)),
        }
    }
}

/// Newest first; the first is in force.
pub(super) async fn versions(conn: &mut PgConnection, key: Key) -> Result<Vec<Row>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT version, source, note, published_by, published_at FROM template_versions
         WHERE kind = $1 AND language = $2 ORDER BY version DESC LIMIT $3",
        key.kind.word(),
        key.language.tag(),
        SHOWN,
    );
    Ok(rows.fetch_all(conn).await?)
}

/// The version in force and its words; 0 where nothing was published.
pub(super) fn in_force(key: Key, versions: &[Row]) -> (i32, &str) {
    match versions.first() {
        Some(row) => (row.version, row.source(key)),
        None => (0, key.builtin()),
    }
}

pub(super) fn wire(key: Key, versions: Vec<Row>) -> Result<Template, Error> {
    let (version, source) = in_force(key, &versions);
    let (version, source) = (version.unsigned_abs(), source.to_owned());
    let samples = samples(key.kind, key.language).into_iter();
    Ok(Template {
        kind: key.kind.word().to_owned(),
        language: key.language.tag().to_owned(),
        version,
        source,
        builtin_source: key.builtin().to_owned(),
        facts: facts(key)?,
        samples: samples.map(|(name, _)| name).collect(),
        versions: versions.into_iter().map(Row::wire).collect(),
    })
}

fn facts(key: Key) -> Result<Vec<TemplateFact>, Error> {
    let facts = templates::first_letter(key.kind, key.language)?.facts;
    let names = facts
        .try_iter()
        .map_err(|_| Error::Broken("facts have no names"))?;
    let mut facts: Vec<TemplateFact> = names
        .map(|name| TemplateFact {
            example: facts
                .get_item(&name)
                .map(|value: Value| value.to_string())
                .unwrap_or_default(),
            name: name.to_string(),
        })
        .collect();
    facts.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(facts)
}

/// On a thread of its own: trying a template on every sample takes a while.
pub(super) async fn try_out(key: Key, source: String) -> Result<Wording, Error> {
    let tried =
        tokio::task::spawn_blocking(move || templates::try_out(key.kind, key.language, &source));
    tried.await?
}
