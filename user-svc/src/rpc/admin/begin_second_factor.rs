use base::UserId;
use kit::{Admin, FieldProblem};
use proto::user::{BeginSecondFactorRequest, BeginSecondFactorResponse};
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::own_password;
use crate::{
    app::App,
    domain::totp::{address, new_secret, to_base32},
    error::Error,
    second_factor::seal_purpose,
};

/// A new secret for an authenticator. Nothing asks for it before it is confirmed; beginning again makes
/// another.
pub(crate) async fn begin_second_factor(
    app: &App,
    admin: Admin,
    request: BeginSecondFactorRequest,
) -> Result<BeginSecondFactorResponse, Error> {
    let password = ("password", request.password.as_str());
    let owner = own_password::verify(app, admin, password).await?;
    let secret = new_secret(&app.sources);
    let new = NewFactor {
        of: admin.id,
        sealed_secret: app
            .sealer
            .seal(&app.sources, &seal_purpose(admin.id), &secret),
        at: app.sources.now(),
    };
    let begun = app
        .db
        .run(new, |conn, new| Box::pin(insert(conn, new)))
        .await?;
    if !begun {
        let problem = FieldProblem::new("second_factor", "is there already, remove it first");
        return Err(Error::Invalid(vec![problem]));
    }
    Ok(BeginSecondFactorResponse {
        secret: to_base32(&secret).expose().to_owned(),
        address: address(&secret, &owner.email).expose().to_owned(),
    })
}

struct NewFactor {
    of: UserId,
    sealed_secret: Vec<u8>,
    at: OffsetDateTime,
}

async fn insert(conn: &mut PgConnection, new: &NewFactor) -> Result<bool, Error> {
    let begun = sqlx::query!(
        "INSERT INTO second_factors AS f (user_id, sealed_secret, created_at, last_step)
         VALUES ($1, $2, $3, 0)
         ON CONFLICT (user_id) DO UPDATE SET sealed_secret = excluded.sealed_secret,
             created_at = excluded.created_at
         WHERE f.confirmed_at IS NULL",
        new.of.uuid(),
        new.sealed_secret,
        new.at,
    );
    Ok(begun.execute(conn).await?.rows_affected() == 1)
}
