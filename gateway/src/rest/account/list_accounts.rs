use axum::{Json, extract::State};
use proto::user::ListAccountsRequest;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::types::Account;
use crate::{
    app::Shared,
    extract::{AdminToken, Query},
    problem::Problem,
    rest::{
        problems::{AdminOnly, BadQuery, Faults},
        types::all,
    },
};

#[derive(Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub struct Page {
    /// 1 to 100; 50 where it is left out.
    page_size: u32,
    /// `next_page_token` of the page before.
    page_token: String,
}

#[derive(Serialize, ToSchema)]
pub struct AccountPage {
    users: Vec<Account>,
    /// Empty on the last page.
    next_page_token: String,
}

/// Every account, the oldest first. For superadmins.
#[utoipa::path(get, path = "/api/v1/admin/users", tag = "admin", params(Page),
    security(("access_token" = [])),
    responses((status = 200, body = AccountPage), AdminOnly, BadQuery, Faults))]
pub async fn list_accounts(
    State(app): State<Shared>,
    token: AdminToken,
    Query(page): Query<Page>,
) -> Result<Json<AccountPage>, Problem> {
    let request = token.request(ListAccountsRequest {
        page_size: page.page_size,
        page_token: page.page_token,
    });
    let found = app.upstreams.accounts().list_accounts(request).await?;
    let found = found.into_inner();
    Ok(Json(AccountPage {
        users: all(found.accounts)?,
        next_page_token: found.next_page_token,
    }))
}
