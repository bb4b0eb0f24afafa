use axum::{extract::State, response::Response};
use kit::ErrorReason;
use proto::payment::{SandboxSessionStatus, SubmitSandboxCardRequest};

use super::{
    page::see_other,
    sandbox::{fetch, unreferred, view},
};
use crate::{
    app::Shared,
    cookies::is_cookie_value,
    extract::{Form, Path},
    problem::{self, Problem},
    rest::types::broken,
};

/// `POST /pay/sandbox/{reference}`: pays or is declined, and leads back to the order either way.
pub async fn sandbox_pay(
    State(app): State<Shared>,
    Path(reference): Path<String>,
    form: Form,
) -> Result<Response, Problem> {
    if !is_cookie_value(&reference) {
        return Err(kit::Failure::not_found("payment").into());
    }
    let request = SubmitSandboxCardRequest {
        reference: reference.clone(),
        card_number: form.text("card_number").to_owned(),
        exp: form.text("exp").to_owned(),
        cvc: form.text("cvc").to_owned(),
    };
    let session = match app.upstreams.sandbox().submit_sandbox_card(request).await {
        Ok(submitted) => submitted
            .into_inner()
            .session
            .ok_or_else(|| broken("session"))?,
        Err(status) => {
            let problem = Problem::from(status);
            if problem.reason() != ErrorReason::InvalidRequest {
                return Err(problem);
            }
            let session = fetch(&app, reference).await?;
            let values = view(&session, &problem.0.fields)?;
            let status = problem::status(problem.reason());
            return unreferred(app.pages.refuse(status, "sandbox.html", values)?);
        }
    };
    let declined = session.status() == SandboxSessionStatus::Declined;
    see_other(&if declined {
        declined_url(&session.return_url)
    } else {
        session.return_url
    })
}

/// The order's page says at once what the webhook will confirm.
fn declined_url(return_url: &str) -> String {
    let mark = if return_url.contains('?') { '&' } else { '?' };
    format!("{return_url}{mark}payment=declined")
}
