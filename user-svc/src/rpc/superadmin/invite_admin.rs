use base::{EmailAddress, bounded};
use kit::{Admin, FieldProblem};
use proto::user::{InviteAdminRequest, InviteAdminResponse};

use crate::{
    app::App,
    domain::{LOCALE_MAX_CHARS, role_from_wire},
    error::Error,
    invitations::{self, NewInvitation},
};

/// A link to make an account goes to the address. The address is the only one it works for.
pub(crate) async fn invite_admin(
    app: &App,
    admin: Admin,
    request: InviteAdminRequest,
) -> Result<InviteAdminResponse, Error> {
    let mut problems = Vec::new();
    let email = request.email.parse::<EmailAddress>();
    if let Err(error) = &email {
        problems.push(FieldProblem::new("email", format!("is not valid: {error}")));
    }
    let role = role_from_wire(request.role());
    if role.is_none() {
        problems.push(FieldProblem::new("role", "must be named"));
    }
    if let Err(error) = bounded("locale", &request.locale, 0, LOCALE_MAX_CHARS) {
        problems.push(FieldProblem::new("locale", error.problem));
    }
    let (Ok(email), Some(role), true) = (email, role, problems.is_empty()) else {
        return Err(Error::Invalid(problems));
    };
    let new = NewInvitation::new(app, admin.id, (email, role), request.locale);
    let invitation = app
        .db
        .run(new, |conn, new| Box::pin(invitations::invite(conn, new)))
        .await?;
    app.mails.notify_one();
    Ok(InviteAdminResponse {
        invitation: Some(invitation.to_wire()),
    })
}
