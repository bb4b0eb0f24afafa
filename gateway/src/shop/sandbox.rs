use axum::{extract::State, response::Response};
use base::Language;
use http::{HeaderValue, header};
use kit::{Failure, FieldProblem};
use minijinja::{Value, context};
use proto::payment::{GetSandboxSessionRequest, SandboxSession, SandboxSessionStatus};

use super::{reader::Reader, words};
use crate::{
    app::{App, Shared},
    cookies::is_cookie_value,
    extract::Path,
    problem::Problem,
    rest::types::{Money, broken},
};

/// `GET /pay/sandbox/{reference}`: the sandbox provider's page to pay on.
pub async fn sandbox(
    State(app): State<Shared>,
    Reader { language, .. }: Reader,
    Path(reference): Path<String>,
) -> Result<Response, Problem> {
    let session = fetch(&app, known(reference)?).await?;
    unreferred(
        app.pages
            .render(language, "sandbox.html", view(language, &session, &[])?)?,
    )
}

/// Whatever is no reference names nothing.
pub fn known(reference: String) -> Result<String, Problem> {
    if is_cookie_value(&reference) {
        Ok(reference)
    } else {
        Err(Failure::not_found("payment").into())
    }
}

pub fn page_url(reference: &str) -> String {
    format!("/pay/sandbox/{reference}")
}

pub async fn fetch(app: &App, reference: String) -> Result<SandboxSession, Problem> {
    let request = GetSandboxSessionRequest { reference };
    let found = app
        .upstreams
        .sandbox()
        .get_sandbox_session(request)
        .await?
        .into_inner();
    Ok(found.session.ok_or_else(|| broken("session"))?)
}

pub fn view(
    language: Language,
    session: &SandboxSession,
    problems: &[FieldProblem],
) -> Result<Value, Failure> {
    let amount = Money::required(session.amount.clone(), "amount")?;
    let rule = |name: &str| {
        problems
            .iter()
            .find(|problem| problem.field == name)
            .map(|problem| words::rule(language, &problem.rule))
    };
    let status = session.status();
    Ok(context! {
        page_url => page_url(&session.reference),
        description => &session.description,
        amount => words::amount(language, &amount),
        return_url => &session.return_url,
        is_open => matches!(status, SandboxSessionStatus::Open | SandboxSessionStatus::Declined),
        was_declined => status == SandboxSessionStatus::Declined,
        is_approval => status == SandboxSessionStatus::Approval,
        is_pending => status == SandboxSessionStatus::Pending,
        is_paid => status == SandboxSessionStatus::Succeeded,
        card_number => context! { rule => rule("card_number") },
        exp => context! { rule => rule("exp") },
        cvc => context! { rule => rule("cvc") },
        needs_another_look => !problems.is_empty(),
    })
}

/// The address of this page is a secret: whoever has it may pay.
pub fn unreferred(mut response: Response) -> Result<Response, Problem> {
    let policy = HeaderValue::from_static("no-referrer");
    response
        .headers_mut()
        .insert(header::REFERRER_POLICY, policy);
    Ok(response)
}
