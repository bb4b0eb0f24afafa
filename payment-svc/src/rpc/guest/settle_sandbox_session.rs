//! The sandbox's test API: a pending payment ends one way or the other.

use proto::payment::{SettleSandboxSessionRequest, SettleSandboxSessionResponse};

use crate::{error::Error, provider::sandbox::Sandbox};

pub(in crate::rpc) async fn settle_sandbox_session(
    sandbox: &Sandbox,
    request: SettleSandboxSessionRequest,
) -> Result<SettleSandboxSessionResponse, Error> {
    let session = sandbox.settle(&request.reference, request.paid).await?;
    Ok(SettleSandboxSessionResponse {
        session: Some(session),
    })
}
