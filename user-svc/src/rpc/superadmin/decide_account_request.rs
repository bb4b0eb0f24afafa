use auth::Role;
use base::{EmailAddress, UserId};
use kit::{Admin, Failure, FieldProblem};
use proto::user::{DecideAccountRequestRequest, DecideAccountRequestResponse};
use serde_json::json;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    app::App,
    domain::role_from_wire,
    error::Error,
    invitations::{self, NewInvitation, Row},
    store::{self, AuditEntry},
};

/// Whoever is approved is invited, because only the mailbox proves the address. Whoever is not hears
/// nothing. A request is decided once.
pub(crate) async fn decide_account_request(
    app: &App,
    admin: Admin,
    request: DecideAccountRequestRequest,
) -> Result<DecideAccountRequestResponse, Error> {
    let absent = || Error::from(Failure::not_found("request"));
    let id: Uuid = request.request_id.parse().map_err(|_| absent())?;
    let role = role_from_wire(request.role());
    if request.approve && role.is_none() {
        let problem = FieldProblem::new("role", "must be named");
        return Err(Error::Invalid(vec![problem]));
    }
    let asked = app
        .db
        .read(id, |conn, id| Box::pin(find(conn, *id)))
        .await?
        .ok_or_else(absent)?;
    let invitation = role
        .filter(|_| request.approve)
        .map(|role| invitation(app, admin.id, asked, role))
        .transpose()?;
    let object = ("account_request", id);
    let decision = Decision {
        id,
        at: app.sources.now(),
        audit: AuditEntry::new(&app.sources, Some(admin.id), "account.decided", object)
            .after(json!({"approved": request.approve})),
        invitation,
    };
    let invited = app
        .db
        .run(decision, |conn, decision| Box::pin(decide(conn, decision)))
        .await?;
    app.mails.notify_one();
    Ok(DecideAccountRequestResponse {
        invitation: invited.as_ref().map(Row::to_wire),
    })
}

struct Asked {
    email: String,
    locale: String,
}

async fn find(conn: &mut PgConnection, id: Uuid) -> Result<Option<Asked>, Error> {
    let asked = sqlx::query_as!(
        Asked,
        "SELECT email, locale FROM account_requests WHERE id = $1 AND decided_at IS NULL",
        id,
    );
    Ok(asked.fetch_optional(conn).await?)
}

fn invitation(app: &App, by: UserId, asked: Asked, role: Role) -> Result<NewInvitation, Error> {
    let email: EmailAddress = asked
        .email
        .parse()
        .map_err(|error: base::EmailError| Error::Internal(error.into()))?;
    Ok(NewInvitation::new(app, by, (email, role), asked.locale))
}

struct Decision {
    id: Uuid,
    at: OffsetDateTime,
    audit: AuditEntry,
    invitation: Option<NewInvitation>,
}

async fn decide(conn: &mut PgConnection, decision: &Decision) -> Result<Option<Row>, Error> {
    // An earlier attempt of this very call left the same time.
    let decided = sqlx::query!(
        "UPDATE account_requests SET decided_at = $2
         WHERE id = $1 AND (decided_at IS NULL OR decided_at = $2)",
        decision.id,
        decision.at,
    )
    .execute(&mut *conn)
    .await?;
    if decided.rows_affected() == 0 {
        return Err(Failure::not_found("request").into());
    }
    store::audit(conn, &decision.audit).await?;
    match &decision.invitation {
        Some(new) => Ok(Some(invitations::invite(conn, new).await?)),
        None => Ok(None),
    }
}
