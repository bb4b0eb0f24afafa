use axum::{Json, extract::State};
use kit::Failure;
use proto::payment::{self, ListRefundsRequest, RefundStatus as Contract};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    app::Shared,
    extract::{AdminToken, Query},
    problem::Problem,
    rest::{
        problems::{AdminOnly, BadQuery, Faults},
        types::{RefundDetail, RefundStatus, all, wanted},
    },
};

#[derive(Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub struct Search {
    /// Every concert that the caller may see where it is left out.
    event_id: String,
    #[param(value_type = Option<RefundStatus>)]
    status: String,
    /// 1 to 100; 20 where it is left out.
    page_size: u32,
    /// `next_page_token` of the page before.
    page_token: String,
}

#[derive(Serialize, ToSchema)]
pub struct RefundPage {
    refunds: Vec<ListedRefund>,
    /// Empty on the last page.
    next_page_token: String,
}

/// A refund with the order that it belongs to.
#[derive(Serialize, ToSchema)]
pub struct ListedRefund {
    order_id: String,
    #[schema(example = "BX-7K3M9Q")]
    order_number: String,
    #[serde(flatten)]
    refund: RefundDetail,
}

impl TryFrom<payment::ListedRefund> for ListedRefund {
    type Error = Failure;

    fn try_from(listed: payment::ListedRefund) -> Result<Self, Failure> {
        Ok(Self {
            refund: RefundDetail::required(listed.refund)?,
            order_id: listed.order_id,
            order_number: listed.order_number,
        })
    }
}

/// Money that goes back, newest first.
#[utoipa::path(get, path = "/api/v1/admin/refunds", tag = "admin", params(Search),
    security(("access_token" = [])),
    responses((status = 200, body = RefundPage), AdminOnly, BadQuery, Faults))]
pub async fn list_refunds(
    State(app): State<Shared>,
    token: AdminToken,
    Query(search): Query<Search>,
) -> Result<Json<RefundPage>, Problem> {
    let request = token.request(ListRefundsRequest {
        status: wanted(&search.status, "REFUND_STATUS_", Contract::from_str_name)?,
        event_id: search.event_id,
        page_size: search.page_size,
        page_token: search.page_token,
    });
    let mut refunds = app.upstreams.refunds_admin();
    let found = refunds.list_refunds(request).await?.into_inner();
    Ok(Json(RefundPage {
        refunds: all(found.refunds)?,
        next_page_token: found.next_page_token,
    }))
}
