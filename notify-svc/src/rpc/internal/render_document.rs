//! Renders what a guest downloads, by the same code as the receipt's mail.

use std::sync::Arc;

use proto::notify::{DocumentKind, RenderDocumentRequest, RenderDocumentResponse};

use crate::{
    app::App,
    error::Error,
    kinds,
    render::{self, Receipt},
};

pub(crate) async fn render_document(
    app: &Arc<App>,
    request: RenderDocumentRequest,
) -> Result<RenderDocumentResponse, Error> {
    let kind = request.kind();
    let facts = request
        .facts
        .ok_or_else(|| Error::field("facts", "is missing"))?;
    let receipt = kinds::read_receipt(&app.facts, &facts)?;
    // Drawing takes a processor for a while, and no other call may wait for it.
    tokio::task::spawn_blocking(move || render(kind, &receipt)).await?
}

fn render(kind: DocumentKind, receipt: &Receipt) -> Result<RenderDocumentResponse, Error> {
    let number = &receipt.order.number;
    let (content, media_type, file_name) = match kind {
        DocumentKind::Unspecified => return Err(Error::field("kind", "must name a document")),
        DocumentKind::TicketsPdf => (
            render::tickets_pdf(receipt)?,
            "application/pdf",
            format!("tickets-{number}.pdf"),
        ),
        DocumentKind::Calendar => (
            render::calendar(receipt).into_bytes(),
            "text/calendar; charset=utf-8",
            format!("event-{number}.ics"),
        ),
        DocumentKind::ReceiptHtml => (
            render::receipt_mail(receipt)?.html.into_bytes(),
            "text/html; charset=utf-8",
            format!("receipt-{number}.html"),
        ),
    };
    Ok(RenderDocumentResponse {
        content,
        media_type: media_type.to_owned(),
        file_name,
    })
}
