//! What the three documents of an order share: stored facts from payment-svc, rendered by
//! notify-svc.

use axum::response::{IntoResponse as _, Response};
use base::OrderId;
use http::{HeaderValue, header};
use kit::Failure;
use proto::{
    event::OrderPaid,
    notify::{DocumentKind, RenderDocumentRequest, RenderDocumentResponse},
    payment::GetReceiptRequest,
};

use crate::{app::App, extract::Access, problem::Problem, rest::types::broken};

pub async fn document(
    app: &App,
    access: Access<OrderId>,
    kind: DocumentKind,
) -> Result<Response, Problem> {
    // What was paid stays to be shown, also where every ticket is somebody else's by now.
    let money_only = matches!(kind, DocumentKind::ReceiptHtml | DocumentKind::ReceiptPdf);
    rendered(app, facts(app, access, money_only).await?, kind).await
}

/// The stored facts of an order: of one with tickets of its guest's, or of any that was paid.
pub async fn facts(
    app: &App,
    access: Access<OrderId>,
    money_only: bool,
) -> Result<OrderPaid, Problem> {
    let request = GetReceiptRequest {
        order_id: access.id.to_string(),
        secret: access.secret,
        money_only,
    };
    let facts = app
        .upstreams
        .orders()
        .get_receipt(request)
        .await?
        .into_inner()
        .facts;
    Ok(facts.ok_or_else(|| broken("receipt"))?)
}

pub async fn render(
    app: &App,
    facts: OrderPaid,
    kind: DocumentKind,
) -> Result<RenderDocumentResponse, Problem> {
    let request = RenderDocumentRequest {
        facts: Some(facts),
        kind: kind.into(),
    };
    let rendered = app.upstreams.documents().render_document(request).await?;
    Ok(rendered.into_inner())
}

/// A document as its answer.
pub async fn rendered(
    app: &App,
    facts: OrderPaid,
    kind: DocumentKind,
) -> Result<Response, Problem> {
    let rendered = render(app, facts, kind).await?;
    let media_type = HeaderValue::from_str(&rendered.media_type).map_err(Failure::internal)?;
    // A receipt is read in the browser, the others are files.
    let manner = if kind == DocumentKind::ReceiptHtml {
        "inline"
    } else {
        "attachment"
    };
    let name = plain(&rendered.file_name);
    let disposition = HeaderValue::from_str(&format!("{manner}; filename=\"{name}\""))
        .map_err(Failure::internal)?;
    let headers = [
        (header::CONTENT_TYPE, media_type),
        (header::CONTENT_DISPOSITION, disposition),
    ];
    let mut response = (headers, rendered.content).into_response();
    if kind == DocumentKind::ReceiptHtml {
        // The page is the mail's: styles stand inside it, and nothing else may load or run.
        let policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
                      frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
        let policy = HeaderValue::from_static(policy);
        response
            .headers_mut()
            .insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    Ok(response)
}

/// Only what needs no quoting in a header.
pub fn plain(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c))
        .collect()
}
