use base::{EmailAddress, UserId};
use db::DbError;
use kit::FieldProblem;
use proto::user::{LoginRequest, LoginResponse};
use sqlx::PgConnection;

use crate::{
    app::App,
    attempts::{self, Attempt},
    domain::{check_presented_password, email_key},
    error::Error,
    passwords::StoredPassword,
    second_factor::{self, Proof},
    sessions::{self, NewSession, Origin},
    tokens::{self, SignedIn},
};

/// Opens a session for whoever knows an account's password. An unknown address, a wrong password
/// and a disabled account take the same time and get the same answer, and each slows down the next one.
pub(crate) async fn login(app: &App, request: LoginRequest) -> Result<LoginResponse, Error> {
    let email = check_fields(&request)?;
    // Before anything is looked up: what is too much costs next to nothing.
    let place = app.passwords.place()?;
    let key = email_key(&email);
    let attempt = attempts::of_anybody(app, &key, &request.network).await?;
    let stored = app
        .db
        .read(key, |conn, key| Box::pin(find_active(conn, key)))
        .await?;
    let proven = stored.as_ref().map(|one| (one.user_id, one.hash.clone()));
    let known = app
        .passwords
        .verify_at(place, stored, &request.password)
        .await?;
    let Some(proven) = proven.filter(|_| known) else {
        attempts::failed(app, attempt).await?;
        return Err(Error::InvalidCredentials);
    };
    let proof = match second_factor::prove(app, proven.0, &request.code).await {
        Err(Error::InvalidCredentials) => {
            attempts::failed(app, attempt).await?;
            return Err(Error::InvalidCredentials);
        }
        proof => proof?,
    };

    let refresh_token = app.sources.token();
    let origin = Origin {
        network: &request.network,
        user_agent: &request.user_agent,
    };
    let new = NewSession::new(&app.sources, proven, &refresh_token, &origin);
    let now = new.created_at();
    let proofs = (attempt.clone(), proof);
    let signed_in = app
        .db
        .run((new, proofs), |conn, (new, proofs)| {
            Box::pin(open(conn, new, proofs))
        })
        .await?;
    let Some(signed_in) = signed_in else {
        attempts::failed(app, attempt).await?;
        return Err(Error::InvalidCredentials);
    };
    let (access_token, expires_in) = tokens::access_token(app, &signed_in, now)?;
    Ok(LoginResponse {
        access_token,
        expires_in,
        refresh_token,
        user: Some(signed_in.account.to_wire()),
    })
}

/// None where the account is another one by now, or a code was used already.
async fn open(
    conn: &mut PgConnection,
    new: &NewSession,
    (attempt, proof): &(Attempt, Proof),
) -> Result<Option<SignedIn>, Error> {
    let used_for = (new.id(), new.created_at());
    if !second_factor::use_up(conn, (new.user_id(), proof), used_for).await? {
        return Ok(None);
    }
    let Some(signed_in) = sessions::open(conn, new).await? else {
        return Ok(None);
    };
    let proven = (signed_in.account.id, new.created_at());
    attempts::succeeded(conn, attempt, proven).await?;
    Ok(Some(signed_in))
}

fn check_fields(request: &LoginRequest) -> Result<EmailAddress, Error> {
    if let Some(problem) = check_presented_password(&request.password) {
        return Err(Error::Invalid(vec![problem]));
    }
    request.email.parse().map_err(|error: base::EmailError| {
        Error::Invalid(vec![FieldProblem::new(
            "email",
            format!("is not valid: {error}"),
        )])
    })
}

async fn find_active(
    conn: &mut PgConnection,
    key: &str,
) -> Result<Option<StoredPassword>, DbError> {
    let row = sqlx::query!(
        "SELECT id, password_hash, pepper_key_id
         FROM users WHERE email_key = $1 AND status = 'active'",
        key,
    );
    let row = row.fetch_optional(conn).await?;
    Ok(row.map(|row| StoredPassword {
        user_id: UserId::from(row.id),
        hash: row.password_hash,
        pepper_key_id: row.pepper_key_id,
    }))
}
