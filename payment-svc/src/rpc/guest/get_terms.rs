//! On which terms orders are placed.

use std::sync::Arc;

use proto::payment::{GetTermsRequest, GetTermsResponse};

use crate::{app::App, error::Error};

#[expect(clippy::unused_async, reason = "the shape of every operation")]
pub(in crate::rpc) async fn get_terms(
    app: &Arc<App>,
    _: GetTermsRequest,
) -> Result<GetTermsResponse, Error> {
    Ok(match &app.terms {
        Some(terms) => GetTermsResponse {
            version: terms.version.clone(),
            text: terms.text.clone(),
        },
        None => GetTermsResponse::default(),
    })
}
