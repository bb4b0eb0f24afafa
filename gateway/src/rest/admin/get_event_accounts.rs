use axum::{Json, extract::State};
use base::EventId;
use proto::payment::GetEventAccountsRequest;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::Shared,
    extract::{AdminToken, Id},
    problem::Problem,
    rest::{
        problems::{Absent, AdminOnly, Faults},
        types::Money,
    },
};

/// What a concert came to. The balances add up to zero in each currency.
#[derive(Serialize, ToSchema)]
pub struct EventAccounts {
    balances: Vec<AccountBalance>,
}

#[derive(Serialize, ToSchema)]
pub struct AccountBalance {
    #[schema(example = "provider:sandbox")]
    account: String,
    /// Debits are positive, credits negative.
    balance: Money,
}

/// What a concert came to, account by account.
#[utoipa::path(get, path = "/api/v1/admin/events/{id}/accounts", tag = "admin",
    params(("id" = String, Path, format = Uuid)), security(("access_token" = [])),
    responses((status = 200, body = EventAccounts), AdminOnly, Absent, Faults))]
pub async fn get_event_accounts(
    State(app): State<Shared>,
    token: AdminToken,
    Id(id): Id<EventId>,
) -> Result<Json<EventAccounts>, Problem> {
    let request = token.request(GetEventAccountsRequest {
        event_id: id.to_string(),
    });
    let mut refunds = app.upstreams.refunds_admin();
    let found = refunds.get_event_accounts(request).await?.into_inner();
    let mut balances = Vec::with_capacity(found.balances.len());
    for balance in found.balances {
        balances.push(AccountBalance {
            balance: Money::required(balance.balance, "balance")?,
            account: balance.account,
        });
    }
    Ok(Json(EventAccounts { balances }))
}
