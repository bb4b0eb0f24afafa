use std::sync::Arc;

use base::{EmailAddress, UserId};
use db::DbError;
use kit::FieldProblem;
use proto::user::{LoginRequest, LoginResponse};
use sqlx::PgConnection;

use crate::{
    accounts,
    app::App,
    attempts::{self, Attempt},
    domain::{Password, check_presented_password, email_key},
    error::Error,
    passwords::{Place, StoredPassword},
    second_factor::{self, Proof},
    sessions::{self, NewSession, Origin},
    tokens::{self, SignedIn},
};

/// Opens a session for whoever knows an account's password. An unknown address, a wrong password
/// and a disabled account take the same time and get the same answer, and each slows down the next one.
///
/// It goes on to its end if its caller hangs up: an attempt is counted, and whether it was a mistake shows only then.
pub(crate) async fn login(app: &Arc<App>, request: LoginRequest) -> Result<LoginResponse, Error> {
    let shared = app.clone();
    let login = async move { sign_in(&shared, request).await };
    app.tasks.complete(login).await
}

async fn sign_in(app: &App, request: LoginRequest) -> Result<LoginResponse, Error> {
    let password = Password::typed(&request.password);
    let email = check_fields(&request, &password)?;
    let key = email_key(&email);
    // Before anything is looked up: what is too much costs next to nothing.
    let place = app.passwords.place()?;
    let attempt = attempts::of_anybody(app, &key, &request.network).await?;
    let stored = match prove_password(app, place, key, &password).await {
        // Stays counted.
        Ok(None) => return Err(Error::InvalidCredentials),
        Ok(Some(stored)) => stored,
        Err(error) => {
            attempts::withdraw(app, attempt).await;
            return Err(error);
        }
    };
    // The password was right: what comes now is counted by code.
    let new = Entry::new(app, &request, (&stored, &attempt));
    let now = new.session.created_at();
    let opened = match second_factor::prove(app, stored.user_id, &request.code).await {
        Ok(proof) => open(app, new, proof).await,
        Err(error) => Err(error),
    };
    let (signed_in, refresh_token) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            attempts::withdraw(app, attempt).await;
            return Err(error);
        }
    };
    renew(app, stored, &password).await;
    let (access_token, expires_in) = tokens::access_token(app, &signed_in, now)?;
    Ok(LoginResponse {
        access_token,
        expires_in,
        refresh_token,
        user: Some(signed_in.account.to_wire()),
    })
}

/// None for a wrong password, and where there is no such account.
async fn prove_password(
    app: &App,
    place: Place,
    key: String,
    password: &Password,
) -> Result<Option<StoredPassword>, Error> {
    let stored = app
        .db
        .read(key, |conn, key| Box::pin(find_active(conn, key)))
        .await?;
    let right = app
        .passwords
        .verify_at(place, stored.clone(), password)
        .await?;
    Ok(stored.filter(|_| right))
}

/// What becomes a session.
struct Entry {
    session: NewSession,
    refresh_token: String,
    attempt: Attempt,
    network: [u8; 32],
}

impl Entry {
    fn new(
        app: &App,
        request: &LoginRequest,
        (stored, attempt): (&StoredPassword, &Attempt),
    ) -> Self {
        let refresh_token = app.sources.token();
        let origin = Origin {
            network: &request.network,
            user_agent: &request.user_agent,
        };
        let proven = (stored.user_id, stored.hash.clone());
        Self {
            session: NewSession::new(&app.sources, proven, &refresh_token, &origin),
            refresh_token,
            attempt: attempt.clone(),
            network: attempts::known(app, &request.network),
        }
    }
}

/// A code that was not the reason why it failed is given back.
async fn open(app: &App, new: Entry, proof: Proof) -> Result<(SignedIn, String), Error> {
    let code = proof.attempt().cloned();
    let refresh_token = new.refresh_token.clone();
    let opened = app
        .db
        .run((new, proof), |conn, (new, proof)| {
            Box::pin(insert(conn, new, proof))
        })
        .await;
    match (opened, code) {
        (Ok(signed_in), _) => Ok((signed_in, refresh_token)),
        (Err(error), Some(code)) if !matches!(error, Error::InvalidCredentials) => {
            attempts::withdraw(app, code).await;
            Err(error)
        }
        (Err(error), _) => Err(error),
    }
}

/// Error::InvalidCredentials where the account is another one by now, or a code was used already.
async fn insert(conn: &mut PgConnection, new: &Entry, proof: &Proof) -> Result<SignedIn, Error> {
    let (session, now) = (&new.session, new.session.created_at());
    let locked = sessions::lock_account(conn, session).await?;
    let locked = locked.ok_or(Error::InvalidCredentials)?;
    let of = session.user_id();
    second_factor::use_up(conn, (of, proof), (session.id(), now)).await?;
    let signed_in = sessions::open(conn, session, locked).await?;
    attempts::succeeded(conn, &new.attempt).await?;
    attempts::know(conn, (of, &new.network), now).await?;
    Ok(signed_in)
}

/// A hash that is not made as new ones are is made anew, while its password is at hand: by its time it would tell
/// that there is an account. Not now is soon enough, so nobody fails for it.
async fn renew(app: &App, stored: StoredPassword, password: &Password) {
    if app.passwords.is_as_new(&stored) {
        return;
    }
    let salt = app.sources.bytes();
    let Ok(renewed) = app.passwords.hash(stored.user_id, password, salt).await else {
        return;
    };
    let set = app
        .db
        .run((renewed, stored.hash), |conn, (renewed, before)| {
            Box::pin(async move {
                Ok::<bool, Error>(accounts::set_password(conn, renewed, Some(before)).await?)
            })
        });
    if let Err(error) = set.await {
        tracing::warn!(%error, "a password hash could not be renewed");
    }
}

fn check_fields(request: &LoginRequest, password: &Password) -> Result<EmailAddress, Error> {
    if let Some(problem) = check_presented_password(password) {
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
