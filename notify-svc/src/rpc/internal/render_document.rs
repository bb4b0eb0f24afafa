//! Renders what a guest downloads, by the same code as the receipt's mail.

use proto::notify::{DocumentKind, RenderDocumentRequest, RenderDocumentResponse};

use crate::{app::App, error::Error, render};

pub(crate) fn render_document(
    app: &App,
    request: RenderDocumentRequest,
) -> Result<RenderDocumentResponse, Error> {
    let kind = request.kind();
    let facts = request.facts.ok_or_else(|| Error::field("facts", "is missing"))?;
    let receipt = app.facts.receipt(&facts)?;
    let number = &receipt.order.number;
    let (content, media_type, file_name) = match kind {
        DocumentKind::Unspecified => return Err(Error::field("kind", "must name a document")),
        DocumentKind::TicketsPdf => {
            (render::tickets_pdf(&receipt)?, "application/pdf", format!("tickets-{number}.pdf"))
        }
        DocumentKind::Calendar => (
            render::calendar(&receipt).into_bytes(),
            "text/calendar; charset=utf-8",
            format!("event-{number}.ics"),
        ),
        DocumentKind::ReceiptHtml => (
            render::receipt_mail(&receipt)?.html.into_bytes(),
            "text/html; charset=utf-8",
            format!("receipt-{number}.html"),
        ),
    };
    Ok(RenderDocumentResponse { content, media_type: media_type.to_owned(), file_name })
}
