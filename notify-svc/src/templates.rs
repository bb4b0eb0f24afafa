//! The templates in force. Those that come with the program are used until a superadmin publishes
//! others; a mail is written in the words that were in force when its notification was made, so that
//! another attempt sends the same mail.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use db::Db;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::{
    error::Error,
    kinds::{Kind, samples},
    render::{Language, Letter, Mail, Wording, letter_mail},
};

/// Notifications that wait longer are not tried any more, so older versions are not asked for.
const KEPT_DAYS: i32 = 8;

/// What is in force, as it was read last.
#[derive(Default)]
pub(crate) struct Templates {
    book: Mutex<Option<Arc<Book>>>,
    /// One reads, the others wait for what it finds.
    reading: tokio::sync::Mutex<()>,
}

struct Book {
    /// By the database's clock, before the versions were read.
    read_at: OffsetDateTime,
    /// Newest first.
    versions: HashMap<(Kind, Language), Vec<Published>>,
}

struct Published {
    at: OffsetDateTime,
    /// None where the one that comes with the program is in force again.
    wording: Option<Arc<Wording>>,
}

impl Book {
    fn in_force(&self, kind: Kind, language: Language, at: OffsetDateTime) -> Option<Arc<Wording>> {
        let versions = self.versions.get(&(kind, language))?;
        let published = versions.iter().find(|version| version.at <= at)?;
        published.wording.clone()
    }
}

impl Templates {
    /// The words that were in force then; None for those that come with the program.
    pub async fn in_force(
        &self,
        db: &Db,
        (kind, language): (Kind, Language),
        at: OffsetDateTime,
    ) -> Option<Arc<Wording>> {
        let book = self.book(db, at).await?;
        book.in_force(kind, language, at)
    }

    /// The words of now, as they were known at that moment or later.
    pub async fn newest(
        &self,
        db: &Db,
        (kind, language): (Kind, Language),
        known_at: OffsetDateTime,
    ) -> Option<Arc<Wording>> {
        let book = self.book(db, known_at).await?;
        let newest = book.versions.get(&(kind, language))?.first()?;
        newest.wording.clone()
    }

    /// Read at that moment or later. Where the database does not answer, what was known before
    /// decides: no mail waits for its wording.
    async fn book(&self, db: &Db, at: OffsetDateTime) -> Option<Arc<Book>> {
        if let Some(book) = self.known(at) {
            return Some(book);
        }
        let _reading = self.reading.lock().await;
        if let Some(book) = self.known(at) {
            return Some(book);
        }
        match db.read((), |conn, ()| Box::pin(read(conn))).await {
            Ok(book) => {
                let book = Arc::new(book);
                *self.lock() = Some(book.clone());
                Some(book)
            }
            Err(error) => {
                tracing::warn!(%error, "templates not read, those known before are used");
                self.lock().clone()
            }
        }
    }

    /// What was read after that moment knows everything that was in force then.
    fn known(&self, at: OffsetDateTime) -> Option<Arc<Book>> {
        self.lock().clone().filter(|book| at <= book.read_at)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Arc<Book>>> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was in force at some moment of the last days.
async fn read(conn: &mut PgConnection) -> Result<Book, Error> {
    let clock = sqlx::query_scalar!(r#"SELECT clock_timestamp() AS "now!""#);
    let read_at = clock.fetch_one(&mut *conn).await?;
    let rows = sqlx::query!(
        r#"SELECT kind, language, source, published_at FROM (
               SELECT kind, language, version, source, published_at,
                      lead(published_at) OVER (PARTITION BY kind, language ORDER BY version) AS replaced_at
               FROM template_versions) versions
           WHERE replaced_at IS NULL OR replaced_at > clock_timestamp() - make_interval(days => $1)
           ORDER BY kind, language, version DESC"#,
        KEPT_DAYS,
    );
    let mut versions: HashMap<_, Vec<_>> = HashMap::new();
    for row in rows.fetch_all(conn).await? {
        let key = Kind::from_word(&row.kind).zip(Language::from_tag(&row.language));
        // Of a newer version of the program.
        let Some(key) = key else { continue };
        let source = row.source.as_deref();
        let wording = source.and_then(|source| match Wording::read(source) {
            Ok(wording) => Some(Arc::new(wording)),
            Err(error) => {
                tracing::error!(row.kind, row.language, %error, "template not used");
                None
            }
        });
        versions.entry(key).or_default().push(Published {
            at: row.published_at,
            wording,
        });
    }
    Ok(Book { read_at, versions })
}

/// A template that fits every sample, or what is wrong with it. It takes a processor for a while.
pub(crate) fn try_out(kind: Kind, language: Language, source: &str) -> Result<Wording, Error> {
    let refused = |why: String| Error::field("source", why);
    let wording = Wording::read(source).map_err(|error| refused(error.to_string()))?;
    for (name, notice) in samples(kind, language) {
        let letter = notice.letter()?;
        let tried = wording.fill(&letter.facts);
        let whole = tried.and_then(|words| words.complete(letter.parts.link.is_some()));
        whole.map_err(|error| refused(format!("does not fit the sample `{name}`: it {error}")))?;
    }
    Ok(wording)
}

/// A sample as a mail; None where there is no such sample.
pub(crate) fn preview(
    (kind, language): (Kind, Language),
    wording: &Wording,
    sample: &str,
) -> Result<Option<(String, Mail)>, Error> {
    let found = samples(kind, language)
        .into_iter()
        .find(|(name, _)| sample.is_empty() || name == sample);
    let Some((name, notice)) = found else {
        return Ok(None);
    };
    let mail = letter_mail(&notice.letter()?, wording)?;
    Ok(Some((name, mail)))
}

/// The facts of a kind's first sample: what its templates may name.
pub(crate) fn first_letter(kind: Kind, language: Language) -> Result<Letter, Error> {
    let first = samples(kind, language).into_iter().next();
    let (_, notice) = first.ok_or(Error::Broken("a kind of message has no sample"))?;
    Ok(notice.letter()?)
}
