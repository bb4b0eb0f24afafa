//! The part of the stub that stands in for user-svc's accounts.

use proto::user;
use tonic::{Request, async_trait};

use crate::{
    facts,
    stub::{Reply, Stub, root},
};

#[async_trait]
impl user::registration_service_server::RegistrationService for Stub {
    async fn register(
        &self,
        request: Request<user::RegisterRequest>,
    ) -> Reply<user::RegisterResponse> {
        self.answer(request, |_| user::RegisterResponse {
            user: Some(root("grace@example.org".to_owned())),
        })
        .await
    }

    async fn request_account(
        &self,
        request: Request<user::RequestAccountRequest>,
    ) -> Reply<user::RequestAccountResponse> {
        self.answer(request, |_| user::RequestAccountResponse {})
            .await
    }

    async fn request_password_reset(
        &self,
        request: Request<user::RequestPasswordResetRequest>,
    ) -> Reply<user::RequestPasswordResetResponse> {
        self.answer(request, |_| user::RequestPasswordResetResponse {})
            .await
    }

    async fn reset_password(
        &self,
        request: Request<user::ResetPasswordRequest>,
    ) -> Reply<user::ResetPasswordResponse> {
        self.answer(request, |_| user::ResetPasswordResponse {})
            .await
    }
}

#[async_trait]
impl user::account_admin_service_server::AccountAdminService for Stub {
    async fn list_accounts(
        &self,
        request: Request<user::ListAccountsRequest>,
    ) -> Reply<user::ListAccountsResponse> {
        self.answer(request, |_| user::ListAccountsResponse {
            accounts: vec![facts::account()],
            next_page_token: "next".to_owned(),
        })
        .await
    }

    async fn create_account(
        &self,
        request: Request<user::CreateAccountRequest>,
    ) -> Reply<user::CreateAccountResponse> {
        self.answer(request, |asked| {
            // A password is told to nobody, so it is looked at here.
            assert_eq!(asked.password, facts::FIRST_PASSWORD);
            let made = user::User {
                email: asked.email,
                role: asked.role,
                ..facts::admin()
            };
            user::CreateAccountResponse {
                account: Some(user::Account {
                    user: Some(made),
                    ..facts::account()
                }),
            }
        })
        .await
    }

    async fn update_account(
        &self,
        request: Request<user::UpdateAccountRequest>,
    ) -> Reply<user::UpdateAccountResponse> {
        self.answer(request, |_| user::UpdateAccountResponse {
            account: Some(facts::account()),
        })
        .await
    }

    async fn invite_admin(
        &self,
        request: Request<user::InviteAdminRequest>,
    ) -> Reply<user::InviteAdminResponse> {
        self.answer(request, |_| user::InviteAdminResponse {
            invitation: Some(facts::invitation()),
        })
        .await
    }

    async fn list_invitations(
        &self,
        request: Request<user::ListInvitationsRequest>,
    ) -> Reply<user::ListInvitationsResponse> {
        self.answer(request, |_| user::ListInvitationsResponse {
            invitations: vec![facts::invitation()],
            requests: vec![facts::account_request()],
        })
        .await
    }

    async fn revoke_invitation(
        &self,
        request: Request<user::RevokeInvitationRequest>,
    ) -> Reply<user::RevokeInvitationResponse> {
        self.answer(request, |_| user::RevokeInvitationResponse {})
            .await
    }

    async fn decide_account_request(
        &self,
        request: Request<user::DecideAccountRequestRequest>,
    ) -> Reply<user::DecideAccountRequestResponse> {
        self.answer(request, |_| user::DecideAccountRequestResponse {
            invitation: Some(facts::invitation()),
        })
        .await
    }

    async fn rotate_signing_key(
        &self,
        request: Request<user::RotateSigningKeyRequest>,
    ) -> Reply<user::RotateSigningKeyResponse> {
        self.answer(request, |_| user::RotateSigningKeyResponse {
            key_id: "key-2".to_owned(),
        })
        .await
    }

    async fn reset_second_factor(
        &self,
        request: Request<user::ResetSecondFactorRequest>,
    ) -> Reply<user::ResetSecondFactorResponse> {
        self.answer(request, |_| user::ResetSecondFactorResponse {})
            .await
    }
}

#[async_trait]
impl user::second_factor_service_server::SecondFactorService for Stub {
    async fn begin_second_factor(
        &self,
        request: Request<user::BeginSecondFactorRequest>,
    ) -> Reply<user::BeginSecondFactorResponse> {
        self.answer(request, |_| user::BeginSecondFactorResponse {
            secret: "JBSWY3DP".to_owned(),
            address: "otpauth://totp/x".to_owned(),
        })
        .await
    }

    async fn confirm_second_factor(
        &self,
        request: Request<user::ConfirmSecondFactorRequest>,
    ) -> Reply<user::ConfirmSecondFactorResponse> {
        self.answer(request, |_| user::ConfirmSecondFactorResponse {
            recovery_codes: vec!["abcd-efgh-ijkl-mnop".to_owned()],
        })
        .await
    }

    async fn remove_second_factor(
        &self,
        request: Request<user::RemoveSecondFactorRequest>,
    ) -> Reply<user::RemoveSecondFactorResponse> {
        self.answer(request, |_| user::RemoveSecondFactorResponse {})
            .await
    }
}

#[async_trait]
impl user::api_key_service_server::ApiKeyService for Stub {
    async fn create_api_key(
        &self,
        request: Request<user::CreateApiKeyRequest>,
    ) -> Reply<user::CreateApiKeyResponse> {
        self.answer(request, |_| user::CreateApiKeyResponse {
            key: Some(facts::api_key()),
            secret: "boxkey_x".to_owned(),
        })
        .await
    }

    async fn list_api_keys(
        &self,
        request: Request<user::ListApiKeysRequest>,
    ) -> Reply<user::ListApiKeysResponse> {
        self.answer(request, |_| user::ListApiKeysResponse {
            keys: vec![facts::api_key()],
        })
        .await
    }

    async fn revoke_api_key(
        &self,
        request: Request<user::RevokeApiKeyRequest>,
    ) -> Reply<user::RevokeApiKeyResponse> {
        self.answer(request, |_| user::RevokeApiKeyResponse {})
            .await
    }

    async fn exchange_api_key(
        &self,
        request: Request<user::ExchangeApiKeyRequest>,
    ) -> Reply<user::ExchangeApiKeyResponse> {
        self.answer(request, |_| user::ExchangeApiKeyResponse {
            access_token: "good".to_owned(),
            expires_in: 600,
            scope: "orders:read".to_owned(),
        })
        .await
    }
}

#[async_trait]
impl user::account_check_service_server::AccountCheckService for Stub {
    async fn check_account(
        &self,
        request: Request<user::CheckAccountRequest>,
    ) -> Reply<user::CheckAccountResponse> {
        self.answer(request, |asked| user::CheckAccountResponse {
            exists: asked.user_id != facts::NO_ACCOUNT,
        })
        .await
    }
}
