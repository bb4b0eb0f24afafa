//! The service's index: which RPC is answered where.

use std::sync::Arc;

use proto::user::{
    ChangePasswordRequest, ChangePasswordResponse, CheckAccountRequest, CheckAccountResponse,
    GetMeRequest, GetMeResponse, ListKeysRequest, ListKeysResponse, ListSessionsRequest,
    ListSessionsResponse, LoginRequest, LoginResponse, LogoutRequest, LogoutResponse,
    RefreshRequest, RefreshResponse, RevokeSessionRequest, RevokeSessionResponse,
    SetupFirstAdminRequest, SetupFirstAdminResponse, WatchKeysRequest,
    account_check_service_server::AccountCheckService, key_service_server::KeyService,
    session_service_server::SessionService, setup_service_server::SetupService,
};
use tonic::{Request, Response, Status, async_trait};

use crate::app::App;

mod accounts;
mod admin;
mod api_keys;
mod guest;
mod internal;
mod record;
mod superadmin;

pub(crate) use record::OwnDeeds;

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

    async fn refresh(&self, request: Request<RefreshRequest>) -> Answer<RefreshResponse> {
        Ok(Response::new(
            guest::refresh::refresh(&self.app, request.into_inner()).await?,
        ))
    }

    async fn logout(&self, request: Request<LogoutRequest>) -> Answer<LogoutResponse> {
        Ok(Response::new(
            guest::logout::logout(&self.app, request.into_inner()).await?,
        ))
    }

    async fn get_me(&self, request: Request<GetMeRequest>) -> Answer<GetMeResponse> {
        Ok(Response::new(
            admin::get_me::get_me(&self.app, kit::admin(&request)?).await?,
        ))
    }

    async fn list_sessions(
        &self,
        request: Request<ListSessionsRequest>,
    ) -> Answer<ListSessionsResponse> {
        let admin = kit::admin(&request)?;
        Ok(Response::new(
            admin::list_sessions::list_sessions(&self.app, admin, request.into_inner()).await?,
        ))
    }

    async fn revoke_session(
        &self,
        request: Request<RevokeSessionRequest>,
    ) -> Answer<RevokeSessionResponse> {
        let admin = kit::admin(&request)?;
        Ok(Response::new(
            admin::revoke_session::revoke_session(&self.app, admin, request.into_inner()).await?,
        ))
    }

    async fn change_password(
        &self,
        request: Request<ChangePasswordRequest>,
    ) -> Answer<ChangePasswordResponse> {
        let admin = kit::admin(&request)?;
        let request = request.into_inner();
        Ok(Response::new(
            admin::change_password::change_password(&self.app, admin, request).await?,
        ))
    }
}

#[async_trait]
impl AccountCheckService for Rpc {
    async fn check_account(
        &self,
        request: Request<CheckAccountRequest>,
    ) -> Answer<CheckAccountResponse> {
        let request = request.into_inner();
        Ok(Response::new(
            internal::check_account::check_account(&self.app, &request).await?,
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

    type WatchKeysStream = internal::watch_keys::Told;

    async fn watch_keys(&self, _: Request<WatchKeysRequest>) -> Answer<Self::WatchKeysStream> {
        Ok(Response::new(internal::watch_keys::watch_keys(&self.app)))
    }
}
