//! Renders what a guest downloads, by the same code as the receipt's mail.

use std::{sync::Arc, time::Duration};

use proto::notify::{DocumentKind, RenderDocumentRequest, RenderDocumentResponse};

use crate::{
    app::App,
    error::Error,
    kinds,
    render::{self, Kind, Receipt, RenderError, Wording},
};

/// What a page may be behind the words in force, so that not each one asks the database.
const WORDS_AGE: Duration = Duration::from_secs(10);

pub(crate) async fn render_document(
    app: &Arc<App>,
    request: RenderDocumentRequest,
) -> Result<RenderDocumentResponse, Error> {
    let kind = request.kind();
    let facts = request
        .facts
        .ok_or_else(|| Error::field("facts", "is missing"))?;
    let receipt = kinds::read_document(&app.facts, &facts)?;
    let wording = match kind {
        DocumentKind::ReceiptHtml => {
            let key = (Kind::Receipt, receipt.order.language);
            let known_at = app.sources.now() - WORDS_AGE;
            app.templates.newest(&app.db, key, known_at).await
        }
        _ => None,
    };
    // Drawing takes a processor for a while, and no other call may wait for it.
    tokio::task::spawn_blocking(move || render(kind, &receipt, wording.as_deref())).await?
}

/// The receipt as its mail shows it, in the words of today. Where no ticket is left there is no such mail, and
/// published words speak of tickets.
fn page(receipt: &Receipt, published: Option<&Wording>) -> Result<String, RenderError> {
    let letter = render::receipt_letter(receipt)?;
    let published = published.filter(|_| !receipt.tickets.is_empty());
    let wording = kinds::fitting(Kind::Receipt, &letter, published);
    Ok(render::letter_mail(&letter, wording)?.html)
}

fn render(
    kind: DocumentKind,
    receipt: &Receipt,
    published: Option<&Wording>,
) -> Result<RenderDocumentResponse, Error> {
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
        DocumentKind::ReceiptPdf => (
            render::receipt_pdf(receipt)?,
            "application/pdf",
            format!("receipt-{number}.pdf"),
        ),
        DocumentKind::ReceiptHtml => (
            page(receipt, published)?.into_bytes(),
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
