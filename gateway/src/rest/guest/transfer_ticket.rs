use axum::{Json as Answer, extract::State};
use base::{OrderId, TicketId};
use proto::payment::TransferTicketRequest;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    app::{App, Shared},
    extract::{AccessTo, Json, Key},
    problem::{Problem, ProblemBody},
    rest::{
        problems::{BadBody, Faults, Secret},
        types::{Order, broken},
    },
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewHolder {
    #[schema(format = Email)]
    pub email: String,
    /// 1 to 200 characters.
    pub name: String,
    /// The language of the mail, a BCP 47 tag; that of the order where it is left out.
    #[serde(default)]
    #[schema(example = "de")]
    pub locale: Option<String>,
}

/// Hands a ticket on to another address.
///
/// The ticket gets a new code, the old one is void, and whoever has it now gets a link of their own.
#[utoipa::path(post, path = "/api/v1/orders/{id}/tickets/{ticket_id}/transfer", tag = "guest",
    request_body = NewHolder,
    params(
        ("id" = String, Path, format = Uuid),
        ("ticket_id" = String, Path, format = Uuid),
        ("Idempotency-Key" = String, Header, description = "16 to 255 random characters, new for each intent"),
    ),
    security(("guest_secret" = [])),
    responses(
        (status = 200, body = Order),
        (status = 409, body = ProblemBody, content_type = "application/problem+json",
         description = "`TICKET_NOT_VALID`: it is void, or on its way to somebody"),
        BadBody, Secret, Faults
    ))]
pub async fn transfer_ticket(
    State(app): State<Shared>,
    access: AccessTo<OrderId, TicketId>,
    Key(key): Key,
    Json(holder): Json<NewHolder>,
) -> Result<Answer<Order>, Problem> {
    Ok(Answer(transfer(&app, access, holder, key.as_str()).await?))
}

pub async fn transfer(
    app: &App,
    access: AccessTo<OrderId, TicketId>,
    holder: NewHolder,
    key: &str,
) -> Result<Order, Problem> {
    let email = holder.email.clone();
    let repeat = format!("{} {} {key}", access.access.id, access.part);
    let request = TransferTicketRequest {
        order_id: access.access.id.to_string(),
        secret: access.access.secret,
        ticket_id: access.part.to_string(),
        email: holder.email,
        name: holder.name,
        locale: holder.locale.unwrap_or_default(),
        idempotency_key: key.to_owned(),
    };
    let handing_on = async {
        let transferred = app.upstreams.desk().transfer_ticket(request).await?;
        Ok(transferred.into_inner().order)
    };
    let order = app.rates.mailing((&email, &repeat), handing_on).await?;
    Ok(order.ok_or_else(|| broken("order"))?.try_into()?)
}
