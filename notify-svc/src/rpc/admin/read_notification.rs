//! A mail as it was written to its reader, or will be, but for what only they may have: links that open an order,
//! codes that admit somebody or sign in. No mail is stored; this one is drawn again from its row, by the same code
//! and in the words that were in force for it.

use proto::notify::{ReadNotificationRequest, ReadNotificationResponse};
use sqlx::PgConnection;
use tonic::Request;

use super::sight::Caller;
use crate::{
    app::App,
    error::Error,
    kinds::{Kind, Notice, fitting},
    render::{Language, Wording, letter_mail},
    store::Row,
};

pub(in crate::rpc) async fn read_notification(
    app: &App,
    request: Request<ReadNotificationRequest>,
) -> Result<ReadNotificationResponse, Error> {
    let caller = Caller::of(&request)?;
    let id = &request.get_ref().notification_id;
    let row = caller.notification(app, id).await?;
    let broken = || Error::Broken("a notification is not what its kind says");
    let kind = Kind::from_word(&row.kind).ok_or_else(broken)?;
    let content = app
        .db
        .read(row.clone(), |conn, row| Box::pin(content(conn, row)));
    // Of an erased guest nothing is left to be read.
    let content = content.await?.ok_or(Error::NotFound("mail"))?;
    let payload = kind.payload(&content).map_err(|_| broken())?;
    let notice = Notice::read(&app.facts, &payload)?;
    let of = (row, kind, notice.language());
    let source = app
        .db
        .read(of, |conn, (row, kind, language)| {
            Box::pin(words(conn, row, *kind, *language))
        })
        .await?;
    let wording = source.and_then(|source| Wording::read(&source).ok());
    let letter = notice.letter()?.without_secrets();
    let mail = letter_mail(&letter, fitting(kind, &letter, wording.as_ref()))?;
    Ok(ReadNotificationResponse {
        subject: mail.subject,
        html: mail.html,
        text: mail.text,
    })
}

async fn content(conn: &mut PgConnection, row: &Row) -> Result<Option<Vec<u8>>, Error> {
    let content = sqlx::query_scalar!(
        "SELECT content FROM notifications WHERE id = $1 AND status <> 'erased'",
        row.id,
    );
    Ok(content.fetch_optional(conn).await?)
}

/// As it was published; none where those that come with the program were in force. Of any age, other than what
/// senders keep in memory.
async fn words(
    conn: &mut PgConnection,
    row: &Row,
    kind: Kind,
    language: Language,
) -> Result<Option<String>, Error> {
    let source = sqlx::query_scalar!(
        "SELECT source FROM template_versions
         WHERE kind = $1 AND language = $2 AND published_at <= $3
         ORDER BY version DESC LIMIT 1",
        kind.word(),
        language.tag(),
        row.created_at,
    );
    Ok(source.fetch_optional(conn).await?.flatten())
}
