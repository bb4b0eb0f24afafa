//! New words for a kind of message. They were tried on every sample before, so no mail meets a
//! template that cannot be filled.

use proto::notify::{PublishTemplateRequest, PublishTemplateResponse, Template};
use serde_json::json;
use sqlx::PgConnection;
use tonic::Request;

use super::{
    dismiss_notification::read_note,
    sight::Caller,
    template::{self, Key, Row},
};
use crate::{
    app::App,
    error::Error,
    store::{self, Audit},
};

pub(in crate::rpc) async fn publish_template(
    app: &App,
    request: Request<PublishTemplateRequest>,
) -> Result<PublishTemplateResponse, Error> {
    let caller = Caller::of(&request)?;
    let request = request.into_inner();
    let key = Key::read(&request.kind, &request.language)?;
    let note = read_note("note", &request.note)?;
    let source = request.source.replace("\r\n", "\n");
    template::try_out(key, source.clone()).await?;
    let change = Change {
        key,
        // The words that come with the program are kept by name, so that a newer program's come too.
        source: (source != key.builtin()).then_some(source),
        note,
        expected: request.expected_version,
        audit: Audit::now(caller.id, "template.publish", key.object()),
    };
    Ok(PublishTemplateResponse {
        template: Some(publish(app, change).await?),
    })
}

pub(super) struct Change {
    pub key: Key,
    /// None: what comes with the program.
    pub source: Option<String>,
    pub note: String,
    pub expected: Option<u32>,
    pub audit: Audit,
}

pub(super) async fn publish(app: &App, change: Change) -> Result<Template, Error> {
    let key = change.key;
    let written = app.db.run(change, |tx, change| Box::pin(write(tx, change)));
    template::wire(key, written.await?)
}

async fn write(tx: &mut PgConnection, change: &Change) -> Result<Vec<Row>, Error> {
    let key = change.key;
    let before = template::versions(tx, key).await?;
    let (version, words) = template::in_force(key, &before);
    if change
        .expected
        .is_some_and(|expected| i64::from(expected) != i64::from(version))
    {
        return Err(Error::VersionMismatch);
    }
    if change.source.as_deref().unwrap_or(key.builtin()) == words {
        return Ok(before);
    }
    let audit = Audit {
        before: json!({ "version": version }),
        after: json!({ "version": version + 1, "note": change.note }),
        ..change.audit.clone()
    };
    // Whoever publishes at the same time takes the same number, and one of the two is told.
    let inserted = sqlx::query!(
        "INSERT INTO template_versions (kind, language, version, source, note, published_by)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT ON CONSTRAINT template_versions_pkey DO NOTHING",
        key.kind.word(),
        key.language.tag(),
        version + 1,
        change.source,
        change.note,
        audit.actor,
    );
    if inserted.execute(&mut *tx).await?.rows_affected() == 0 {
        return Err(Error::VersionMismatch);
    }
    store::audit(tx, &audit).await?;
    template::versions(tx, key).await
}
