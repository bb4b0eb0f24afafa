use axum::{extract::State, response::Response};
use kit::{ErrorReason, FieldProblem};
use proto::payment::{
    ApproveSandboxStepRequest, SandboxSession, SandboxSessionStatus, SubmitSandboxCardRequest,
};
use tonic::Status;

use super::{
    page::see_other,
    reader::Reader,
    sandbox::{fetch, known, page_url, unreferred, view},
};
use crate::{
    app::{App, Shared},
    extract::{Form, Path},
    problem::{self, Problem},
    rest::types::broken,
};

/// `POST /pay/sandbox/{reference}`: a card, or the answer to its second step. Leads back to the order,
/// or to the second step.
pub async fn sandbox_pay(
    State(app): State<Shared>,
    Reader { language, .. }: Reader,
    Path(reference): Path<String>,
    form: Form,
) -> Result<Response, Problem> {
    let reference = known(reference)?;
    let session = match send(&app, reference.clone(), &form).await {
        Ok(session) => session.ok_or_else(|| broken("session"))?,
        Err(status) => {
            let problem = Problem::from(status);
            if problem.reason() != ErrorReason::InvalidRequest {
                return Err(problem);
            }
            let session = fetch(&app, reference).await?;
            let values = view(language, &session, &problem.0.fields)?;
            let status = problem::status(problem.reason());
            return unreferred(app.pages.refuse(status, language, "sandbox.html", values)?);
        }
    };
    see_other(&match session.status() {
        SandboxSessionStatus::Approval => page_url(&reference),
        SandboxSessionStatus::Declined => declined_url(&session.return_url),
        _ => session.return_url,
    })
}

async fn send(app: &App, reference: String, form: &Form) -> Result<Option<SandboxSession>, Status> {
    let mut sandbox = app.upstreams.sandbox();
    let approve = match form.text("approve") {
        "" => None,
        "yes" => Some(true),
        "no" => Some(false),
        _ => {
            let problem = FieldProblem::new("approve", "must be yes or no");
            return Err(kit::fields(vec![problem]).into());
        }
    };
    if let Some(approve) = approve {
        let request = ApproveSandboxStepRequest { reference, approve };
        let answer = sandbox.approve_sandbox_step(request).await?;
        return Ok(answer.into_inner().session);
    }
    let request = SubmitSandboxCardRequest {
        reference,
        card_number: form.text("card_number").to_owned(),
        exp: form.text("exp").to_owned(),
        cvc: form.text("cvc").to_owned(),
    };
    let answer = sandbox.submit_sandbox_card(request).await?;
    Ok(answer.into_inner().session)
}

/// The order's page says at once what the webhook will confirm.
fn declined_url(return_url: &str) -> String {
    let mark = if return_url.contains('?') { '&' } else { '?' };
    format!("{return_url}{mark}payment=declined")
}
