//! What the sandbox's page shows.

use proto::payment::{GetSandboxSessionRequest, GetSandboxSessionResponse};

use crate::{error::Error, provider::sandbox::Sandbox};

pub(in crate::rpc) async fn get_sandbox_session(
    sandbox: &Sandbox,
    request: GetSandboxSessionRequest,
) -> Result<GetSandboxSessionResponse, Error> {
    Ok(GetSandboxSessionResponse {
        session: Some(sandbox.session(&request.reference).await?),
    })
}
