//! The service's index: which RPC is answered where.

use std::sync::Arc;

use proto::user::{
    GetMeRequest, GetMeResponse, ListKeysRequest, ListKeysResponse, LoginRequest, LoginResponse,
    SetupFirstAdminRequest, SetupFirstAdminResponse, key_service_server::KeyService,
    session_service_server::SessionService, setup_service_server::SetupService,
};
use tonic::{Request, Response, Status, async_trait};

use crate::app::App;

mod admin;
mod guest;
mod internal;

#[derive(Clone)]
pub(crate) struct Rpc {
    app: Arc<App>,
}

impl Rpc {
    pub(crate) fn new(app: Arc<App>) -> Self {
        Self { app }
    }
}

type Answer<T> = Result<Response<T>, Status>;

#[async_trait]
impl SetupService for Rpc {
    async fn setup_first_admin(
        &self,
        request: Request<SetupFirstAdminRequest>,
    ) -> Answer<SetupFirstAdminResponse> {
        let request = request.into_inner();
        Ok(Response::new(
            guest::setup_first_admin::setup_first_admin(&self.app, request).await?,
        ))
    }
}

#[async_trait]
impl SessionService for Rpc {
    async fn login(&self, request: Request<LoginRequest>) -> Answer<LoginResponse> {
        Ok(Response::new(
            guest::login::login(&self.app, request.into_inner()).await?,
        ))
    }

    async fn get_me(&self, request: Request<GetMeRequest>) -> Answer<GetMeResponse> {
        Ok(Response::new(
            admin::get_me::get_me(&self.app, kit::admin(&request)?).await?,
        ))
    }
}

#[async_trait]
impl KeyService for Rpc {
    async fn list_keys(&self, _: Request<ListKeysRequest>) -> Answer<ListKeysResponse> {
        Ok(Response::new(
            internal::list_keys::list_keys(&self.app).await?,
        ))
    }
}
