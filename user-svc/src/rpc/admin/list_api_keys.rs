use kit::Admin;
use proto::user::{ListApiKeysRequest, ListApiKeysResponse};

use super::list_sessions::whose;
use crate::{
    api_keys::{Row, select},
    app::App,
    error::Error,
};

/// The keys of an account that are good still: one's own, or for superadmins anybody's.
pub(crate) async fn list_api_keys(
    app: &App,
    admin: Admin,
    request: ListApiKeysRequest,
) -> Result<ListApiKeysResponse, Error> {
    let of = whose(admin, &request.user_id)?;
    let wish = (of.uuid(), app.sources.now());
    let rows = app
        .db
        .read(wish, |conn, (of, now)| Box::pin(select(conn, *of, *now)))
        .await?;
    Ok(ListApiKeysResponse {
        keys: rows.iter().map(Row::to_wire).collect(),
    })
}
