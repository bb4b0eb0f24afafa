use axum::{extract::State, response::Response};
use kit::FieldProblem;
use proto::payment::SettleSandboxSessionRequest;

use super::{
    page::see_other,
    sandbox::{known, page_url},
};
use crate::{
    app::Shared,
    extract::{Form, Path},
    problem::Problem,
};

/// `POST /pay/sandbox/{reference}/settle`: the sandbox's test API ends a pending payment with
/// `outcome=paid|failed` and leads to its page.
pub async fn sandbox_settle(
    State(app): State<Shared>,
    Path(reference): Path<String>,
    form: Form,
) -> Result<Response, Problem> {
    let reference = known(reference)?;
    let paid = match form.text("outcome") {
        "paid" => true,
        "failed" => false,
        _ => {
            let problem = FieldProblem::new("outcome", "must be paid or failed");
            return Err(kit::fields(vec![problem]).into());
        }
    };
    let page = page_url(&reference);
    let request = SettleSandboxSessionRequest { reference, paid };
    app.upstreams
        .sandbox()
        .settle_sandbox_session(request)
        .await?;
    see_other(&page)
}
