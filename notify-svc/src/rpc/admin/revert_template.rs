//! The words of an earlier version are in force again, as a version of their own.

use proto::notify::{RevertTemplateRequest, RevertTemplateResponse};
use sqlx::PgConnection;
use tonic::Request;

use super::{
    dismiss_notification::read_note,
    publish_template::{Change, publish},
    sight::Caller,
    template::{self, Key},
};
use crate::{app::App, error::Error, store::Audit};

pub(in crate::rpc) async fn revert_template(
    app: &App,
    request: Request<RevertTemplateRequest>,
) -> Result<RevertTemplateResponse, Error> {
    let caller = Caller::of(&request)?;
    let request = request.into_inner();
    let key = Key::read(&request.kind, &request.language)?;
    let note = read_note("note", &request.note)?;
    let read = app.db.read((key, request.version), |conn, (key, version)| {
        Box::pin(source_of(conn, *key, *version))
    });
    let source = read.await?;
    if let Some(source) = source.clone() {
        // It may be from a program whose messages had other facts.
        template::try_out(key, source).await?;
    }
    let change = Change {
        key,
        source,
        note,
        expected: request.expected_version,
        audit: Audit::now(caller.id, "template.revert", key.object()),
    };
    Ok(RevertTemplateResponse {
        template: Some(publish(app, change).await?),
    })
}

/// What a version said. None is what comes with the program.
async fn source_of(
    conn: &mut PgConnection,
    key: Key,
    version: u32,
) -> Result<Option<String>, Error> {
    let absent = || Error::NotFound("version");
    if version == 0 {
        return Ok(None);
    }
    let found = sqlx::query_scalar!(
        "SELECT source FROM template_versions WHERE kind = $1 AND language = $2 AND version = $3",
        key.kind.word(),
        key.language.tag(),
        i32::try_from(version).map_err(|_| absent())?,
    );
    found.fetch_optional(conn).await?.ok_or_else(absent)
}
