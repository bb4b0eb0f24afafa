use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use base::OrderId;
use http::{HeaderValue, header};
use kit::Failure;
use proto::notify::DocumentKind;

use super::document::{facts, plain, render};
use crate::{
    app::Shared,
    extract::Access,
    problem::{Problem, ProblemBody},
    rest::problems::{Faults, Secret},
    zip::{Entry, zip},
};

const KINDS: [DocumentKind; 3] = [
    DocumentKind::TicketsPdf,
    DocumentKind::Calendar,
    DocumentKind::ReceiptPdf,
];

/// Tickets, calendar and receipt in one zip archive.
#[utoipa::path(get, path = "/api/v1/orders/{id}/all.zip", tag = "guest",
    params(("id" = String, Path, format = Uuid)), security(("guest_secret" = [])),
    responses(
        (status = 200, content_type = "application/zip", body = Vec<u8>),
        (status = 409, body = ProblemBody, content_type = "application/problem+json",
         description = "`TICKETS_NOT_READY` until the order is fulfilled"),
        Secret, Faults
    ))]
pub async fn download_all(
    State(app): State<Shared>,
    access: Access<OrderId>,
) -> Result<Response, Problem> {
    let facts = facts(&app, access, false).await?;
    let mut entries = Vec::with_capacity(KINDS.len());
    for kind in KINDS {
        let rendered = render(&app, facts.clone(), kind).await?;
        entries.push(Entry {
            name: plain(&rendered.file_name),
            content: rendered.content,
        });
    }
    let archive = zip(&entries).ok_or_else(|| Failure::internal("documents of 4 GiB"))?;
    let name = plain(&facts.number);
    let disposition = format!("attachment; filename=\"{name}.zip\"");
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/zip"),
        ),
        (
            header::CONTENT_DISPOSITION,
            HeaderValue::from_str(&disposition).map_err(Failure::internal)?,
        ),
    ];
    Ok((headers, archive).into_response())
}
