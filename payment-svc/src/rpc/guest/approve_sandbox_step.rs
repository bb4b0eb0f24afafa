//! The answer to a card's second step on the sandbox's page: yes pays, no declines.

use proto::payment::{ApproveSandboxStepRequest, ApproveSandboxStepResponse};

use crate::{error::Error, provider::sandbox::Sandbox};

pub(in crate::rpc) async fn approve_sandbox_step(
    sandbox: &Sandbox,
    request: ApproveSandboxStepRequest,
) -> Result<ApproveSandboxStepResponse, Error> {
    let session = sandbox.approve(&request.reference, request.approve).await?;
    Ok(ApproveSandboxStepResponse {
        session: Some(session),
    })
}
