use axum::{Json as Answer, extract::State};
use base::OrderId;
use proto::payment::CorrectAddressRequest;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    app::{App, Shared},
    extract::{Access, Json, Key},
    problem::Problem,
    rest::{
        problems::{BadBody, Faults, Secret},
        types::{Order, broken},
    },
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddressCorrection {
    /// Where the order goes from now on.
    #[schema(format = Email)]
    pub email: String,
    /// `purchase_proof` of the answer that placed the order.
    pub purchase_proof: String,
}

/// An order with its new secret.
#[derive(Serialize, ToSchema)]
pub struct CorrectedOrder {
    #[serde(flatten)]
    pub order: Order,
    /// The one that was sent is dead.
    pub secret: String,
    /// Opens the order's page in a browser.
    pub link: String,
}

/// Corrects a mistyped address: the order's link is another one from now on, and a receipt goes to the
/// new address.
///
/// It takes the proof that only who placed the order has, beside the secret, and works a few times a day.
#[utoipa::path(post, path = "/api/v1/orders/{id}/correct-address", tag = "guest",
    request_body = AddressCorrection,
    params(
        ("id" = String, Path, format = Uuid),
        ("Idempotency-Key" = String, Header, description = "16 to 255 random characters, new for each intent"),
    ),
    security(("guest_secret" = [])),
    responses((status = 200, body = CorrectedOrder), BadBody, Secret, Faults))]
pub async fn correct_address(
    State(app): State<Shared>,
    access: Access<OrderId>,
    Key(key): Key,
    Json(correction): Json<AddressCorrection>,
) -> Result<Answer<CorrectedOrder>, Problem> {
    Ok(Answer(
        correct(&app, access, correction, key.as_str()).await?,
    ))
}

pub async fn correct(
    app: &App,
    access: Access<OrderId>,
    correction: AddressCorrection,
    key: &str,
) -> Result<CorrectedOrder, Problem> {
    let email = correction.email.clone();
    let repeat = format!("{} {key}", access.id);
    let request = CorrectAddressRequest {
        order_id: access.id.to_string(),
        secret: access.secret,
        purchase_proof: correction.purchase_proof,
        email: correction.email,
        idempotency_key: key.to_owned(),
    };
    let correcting = async {
        let corrected = app.upstreams.desk().correct_address(request).await?;
        Ok(corrected.into_inner())
    };
    let corrected = app.rates.mailing((&email, &repeat), correcting).await?;
    let order: Order = corrected.order.ok_or_else(|| broken("order"))?.try_into()?;
    let secret = corrected.secret;
    Ok(CorrectedOrder {
        link: app.public_url.join(&format!("/o/{}/{secret}", order.id)),
        order,
        secret,
    })
}
