//! A card on the sandbox's page: what the card does happens at once; the webhook follows.

use proto::payment::{SubmitSandboxCardRequest, SubmitSandboxCardResponse};

use crate::{
    error::Error,
    provider::sandbox::{Card, Sandbox},
};

pub(in crate::rpc) async fn submit_sandbox_card(
    sandbox: &Sandbox,
    request: SubmitSandboxCardRequest,
) -> Result<SubmitSandboxCardResponse, Error> {
    let card = Card {
        number: request.card_number,
        exp: request.exp,
        cvc: request.cvc,
    };
    let session = sandbox.submit(&request.reference, &card).await?;
    Ok(SubmitSandboxCardResponse {
        session: Some(session),
    })
}
