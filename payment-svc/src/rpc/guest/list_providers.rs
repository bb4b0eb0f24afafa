//! What orders can be paid with here, the default first.

use std::sync::Arc;

use proto::payment::{ListProvidersRequest, ListProvidersResponse, PaymentProvider};

use crate::{app::App, error::Error};

#[expect(clippy::unused_async, reason = "the shape of every operation")]
pub(in crate::rpc) async fn list_providers(
    app: &Arc<App>,
    _request: ListProvidersRequest,
) -> Result<ListProvidersResponse, Error> {
    let providers = app.providers.all().map(|provider| PaymentProvider {
        name: provider.name().to_owned(),
        title: provider.title().to_owned(),
    });
    Ok(ListProvidersResponse {
        providers: providers.collect(),
    })
}
