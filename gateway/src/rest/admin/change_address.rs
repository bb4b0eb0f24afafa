use axum::{Json as Answer, extract::State};
use base::OrderId;
use http::StatusCode;
use proto::payment::ChangeAddressRequest;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    app::Shared,
    extract::{AdminToken, Id, Json, Key},
    problem::{Problem, ProblemBody},
    rest::problems::{Absent, AdminOnly, BadBody, Faults},
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddressChange {
    /// Another one than before.
    #[schema(example = "guest@example.org")]
    email: String,
    /// For the audit log: 1 to 500 characters, and nothing about the guest.
    #[schema(example = "Named the order's number, its price and the card.")]
    reason: String,
}

#[derive(Serialize, ToSchema)]
pub struct ChangedAddress {
    /// Where the order is now.
    #[schema(example = "guest@example.org")]
    email: String,
}

/// Moves an order to another address, for a guest who mistyped it and cannot correct it any more.
///
/// The old link is dead from then on, and mails to the old address that were not sent are withdrawn. The new
/// address gets the new link with the receipt, or with how to pay. Whoever asks has to be known as the guest:
/// the tickets go with the address.
#[utoipa::path(post, path = "/api/v1/admin/orders/{id}/address", tag = "admin",
    request_body = AddressChange,
    params(
        ("id" = String, Path, format = Uuid),
        ("Idempotency-Key" = String, Header, description = "16 to 255 random characters, new for each change"),
    ),
    security(("access_token" = [])),
    responses(
        (status = 202, body = ChangedAddress),
        (status = 409, body = ProblemBody, content_type = "application/problem+json",
         description = "`ORDER_NOT_OPEN`: its guest was erased, or it went to another address meanwhile"),
        BadBody, AdminOnly, Absent, Faults
    ))]
pub async fn change_address(
    State(app): State<Shared>,
    token: AdminToken,
    Id(id): Id<OrderId>,
    Key(key): Key,
    Json(change): Json<AddressChange>,
) -> Result<(StatusCode, Answer<ChangedAddress>), Problem> {
    let request = token.request(ChangeAddressRequest {
        order_id: id.to_string(),
        email: change.email,
        reason: change.reason,
        idempotency_key: key.as_str().to_owned(),
    });
    let changed = app.upstreams.orders_admin().change_address(request).await?;
    let email = changed.into_inner().email;
    Ok((StatusCode::ACCEPTED, Answer(ChangedAddress { email })))
}
