//! The index of the ways in, of second factors, and of what superadmins do about accounts.

use proto::user::{
    BeginSecondFactorRequest, BeginSecondFactorResponse, ConfirmSecondFactorRequest,
    ConfirmSecondFactorResponse, CreateAccountRequest, CreateAccountResponse,
    DecideAccountRequestRequest, DecideAccountRequestResponse, InviteAdminRequest,
    InviteAdminResponse, ListAccountsRequest, ListAccountsResponse, ListInvitationsRequest,
    ListInvitationsResponse, RegisterRequest, RegisterResponse, RemoveSecondFactorRequest,
    RemoveSecondFactorResponse, RequestAccountRequest, RequestAccountResponse,
    RequestPasswordResetRequest, RequestPasswordResetResponse, ResetPasswordRequest,
    ResetPasswordResponse, ResetSecondFactorRequest, ResetSecondFactorResponse,
    RevokeInvitationRequest, RevokeInvitationResponse, RotateSigningKeyRequest,
    RotateSigningKeyResponse, UpdateAccountRequest, UpdateAccountResponse,
    account_admin_service_server::AccountAdminService,
    registration_service_server::RegistrationService,
    second_factor_service_server::SecondFactorService,
};
use tonic::{Request, Response, async_trait};

use super::{Answer, Rpc, admin, guest, superadmin};

#[async_trait]
impl RegistrationService for Rpc {
    async fn register(&self, request: Request<RegisterRequest>) -> Answer<RegisterResponse> {
        Ok(Response::new(
            guest::register::register(&self.app, request.into_inner()).await?,
        ))
    }

    async fn request_account(
        &self,
        request: Request<RequestAccountRequest>,
    ) -> Answer<RequestAccountResponse> {
        Ok(Response::new(
            guest::request_account::request_account(&self.app, request.into_inner()).await?,
        ))
    }

    async fn request_password_reset(
        &self,
        request: Request<RequestPasswordResetRequest>,
    ) -> Answer<RequestPasswordResetResponse> {
        Ok(Response::new(
            guest::request_password_reset::request_password_reset(&self.app, request.into_inner())
                .await?,
        ))
    }

    async fn reset_password(
        &self,
        request: Request<ResetPasswordRequest>,
    ) -> Answer<ResetPasswordResponse> {
        Ok(Response::new(
            guest::reset_password::reset_password(&self.app, request.into_inner()).await?,
        ))
    }
}

#[async_trait]
impl AccountAdminService for Rpc {
    async fn list_accounts(
        &self,
        request: Request<ListAccountsRequest>,
    ) -> Answer<ListAccountsResponse> {
        Ok(Response::new(
            superadmin::list_accounts::list_accounts(&self.app, request.into_inner()).await?,
        ))
    }

    async fn create_account(
        &self,
        request: Request<CreateAccountRequest>,
    ) -> Answer<CreateAccountResponse> {
        let admin = kit::admin(&request)?;
        Ok(Response::new(
            superadmin::create_account::create_account(&self.app, admin, request.into_inner())
                .await?,
        ))
    }

    async fn update_account(
        &self,
        request: Request<UpdateAccountRequest>,
    ) -> Answer<UpdateAccountResponse> {
        let admin = kit::admin(&request)?;
        Ok(Response::new(
            superadmin::update_account::update_account(&self.app, admin, request.into_inner())
                .await?,
        ))
    }

    async fn invite_admin(
        &self,
        request: Request<InviteAdminRequest>,
    ) -> Answer<InviteAdminResponse> {
        let admin = kit::admin(&request)?;
        Ok(Response::new(
            superadmin::invite_admin::invite_admin(&self.app, admin, request.into_inner()).await?,
        ))
    }

    async fn list_invitations(
        &self,
        _: Request<ListInvitationsRequest>,
    ) -> Answer<ListInvitationsResponse> {
        Ok(Response::new(
            superadmin::list_invitations::list_invitations(&self.app).await?,
        ))
    }

    async fn revoke_invitation(
        &self,
        request: Request<RevokeInvitationRequest>,
    ) -> Answer<RevokeInvitationResponse> {
        let admin = kit::admin(&request)?;
        Ok(Response::new(
            superadmin::revoke_invitation::revoke_invitation(
                &self.app,
                admin,
                request.into_inner(),
            )
            .await?,
        ))
    }

    async fn decide_account_request(
        &self,
        request: Request<DecideAccountRequestRequest>,
    ) -> Answer<DecideAccountRequestResponse> {
        let admin = kit::admin(&request)?;
        Ok(Response::new(
            superadmin::decide_account_request::decide_account_request(
                &self.app,
                admin,
                request.into_inner(),
            )
            .await?,
        ))
    }

    async fn rotate_signing_key(
        &self,
        request: Request<RotateSigningKeyRequest>,
    ) -> Answer<RotateSigningKeyResponse> {
        let admin = kit::admin(&request)?;
        let request = request.into_inner();
        Ok(Response::new(
            superadmin::rotate_signing_key::rotate_signing_key(&self.app, admin, request).await?,
        ))
    }

    async fn reset_second_factor(
        &self,
        request: Request<ResetSecondFactorRequest>,
    ) -> Answer<ResetSecondFactorResponse> {
        let admin = kit::admin(&request)?;
        Ok(Response::new(
            superadmin::reset_second_factor::reset_second_factor(
                &self.app,
                admin,
                request.into_inner(),
            )
            .await?,
        ))
    }
}

#[async_trait]
impl SecondFactorService for Rpc {
    async fn begin_second_factor(
        &self,
        request: Request<BeginSecondFactorRequest>,
    ) -> Answer<BeginSecondFactorResponse> {
        let admin = kit::admin(&request)?;
        Ok(Response::new(
            admin::begin_second_factor::begin_second_factor(&self.app, admin, request.into_inner())
                .await?,
        ))
    }

    async fn confirm_second_factor(
        &self,
        request: Request<ConfirmSecondFactorRequest>,
    ) -> Answer<ConfirmSecondFactorResponse> {
        let admin = kit::admin(&request)?;
        Ok(Response::new(
            admin::confirm_second_factor::confirm_second_factor(
                &self.app,
                admin,
                request.into_inner(),
            )
            .await?,
        ))
    }

    async fn remove_second_factor(
        &self,
        request: Request<RemoveSecondFactorRequest>,
    ) -> Answer<RemoveSecondFactorResponse> {
        let admin = kit::admin(&request)?;
        Ok(Response::new(
            admin::remove_second_factor::remove_second_factor(
                &self.app,
                admin,
                request.into_inner(),
            )
            .await?,
        ))
    }
}
