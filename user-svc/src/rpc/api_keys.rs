//! The index of API keys.

use proto::user::{
    CreateApiKeyRequest, CreateApiKeyResponse, ExchangeApiKeyRequest, ExchangeApiKeyResponse,
    ListApiKeysRequest, ListApiKeysResponse, RevokeApiKeyRequest, RevokeApiKeyResponse,
    api_key_service_server::ApiKeyService,
};
use tonic::{Request, Response, async_trait};

use super::{Answer, Rpc, admin, guest};

#[async_trait]
impl ApiKeyService for Rpc {
    async fn create_api_key(
        &self,
        request: Request<CreateApiKeyRequest>,
    ) -> Answer<CreateApiKeyResponse> {
        let admin = kit::admin(&request)?;
        Ok(Response::new(
            admin::create_api_key::create_api_key(&self.app, admin, request.into_inner()).await?,
        ))
    }

    async fn list_api_keys(
        &self,
        request: Request<ListApiKeysRequest>,
    ) -> Answer<ListApiKeysResponse> {
        let admin = kit::admin(&request)?;
        Ok(Response::new(
            admin::list_api_keys::list_api_keys(&self.app, admin, request.into_inner()).await?,
        ))
    }

    async fn revoke_api_key(
        &self,
        request: Request<RevokeApiKeyRequest>,
    ) -> Answer<RevokeApiKeyResponse> {
        let admin = kit::admin(&request)?;
        Ok(Response::new(
            admin::revoke_api_key::revoke_api_key(&self.app, admin, request.into_inner()).await?,
        ))
    }

    async fn exchange_api_key(
        &self,
        request: Request<ExchangeApiKeyRequest>,
    ) -> Answer<ExchangeApiKeyResponse> {
        Ok(Response::new(
            guest::exchange_api_key::exchange_api_key(&self.app, request.into_inner()).await?,
        ))
    }
}
