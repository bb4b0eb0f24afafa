use base::UserId;
use proto::user::{CheckAccountRequest, CheckAccountResponse};

use crate::{app::App, error::Error};

/// Whether there is such an account, disabled or not. What is no id has none.
pub(crate) async fn check_account(
    app: &App,
    request: &CheckAccountRequest,
) -> Result<CheckAccountResponse, Error> {
    let Ok(id) = request.user_id.parse::<UserId>() else {
        return Ok(CheckAccountResponse { exists: false });
    };
    let exists = app.db.read(id, |conn, id| {
        Box::pin(async move {
            let exists = sqlx::query_scalar!(
                r#"SELECT EXISTS (SELECT FROM users WHERE id = $1) AS "exists!""#,
                id.uuid(),
            );
            Ok::<_, Error>(exists.fetch_one(conn).await?)
        })
    });
    Ok(CheckAccountResponse {
        exists: exists.await?,
    })
}
