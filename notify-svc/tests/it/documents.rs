//! What a guest downloads, and who may ask for it.

use kit::{Certainty, Code, ErrorReason, Failure};
use proto::{
    Peer,
    event::{OrderCancelled, OrderPaid, OrderPostponed, envelope::Payload},
    notify::{
        DocumentKind, RenderDocumentRequest, RenderDocumentResponse,
        document_service_client::DocumentServiceClient,
    },
};

use time::macros::datetime;

use crate::harness::{Harness, LINK};

fn request(facts: OrderPaid, kind: DocumentKind) -> RenderDocumentRequest {
    RenderDocumentRequest {
        facts: Some(facts),
        kind: kind.into(),
    }
}

async fn render(
    harness: &Harness,
    peer: Peer,
    request: RenderDocumentRequest,
) -> Result<RenderDocumentResponse, Failure> {
    let answer = harness.documents(peer).render_document(request).await;
    answer
        .map(|answer| answer.into_inner())
        .map_err(|status| Failure::from_status(&status))
}

#[tokio::test]
async fn a_receipt_of_money_alone_promises_no_tickets() {
    let harness = Harness::start().await;
    for (locale, says, promise) in [
        ("en", "Your order was paid.", "attached"),
        ("de", "Ihre Bestellung wurde bezahlt.", "Ticket hängt"),
        ("fr", "Votre commande a été payée.", "joint"),
    ] {
        let facts = OrderPaid {
            tickets: Vec::new(),
            locale: locale.to_owned(),
            ..harness.paid()
        };
        for kind in [DocumentKind::ReceiptHtml, DocumentKind::ReceiptPdf] {
            let asked = request(facts.clone(), kind);
            let rendered = render(&harness, Peer::Gateway, asked).await.unwrap();
            if kind == DocumentKind::ReceiptHtml {
                let page = String::from_utf8(rendered.content).unwrap();
                assert!(page.contains(says), "{page}");
                assert!(!page.contains(promise) && !page.contains("QR"), "{page}");
            }
        }
    }
    harness.check_invariants(0).await;
}

#[tokio::test]
async fn every_document_is_rendered() {
    let harness = Harness::start().await;
    let facts = harness.paid();
    let document = async |kind| {
        render(&harness, Peer::Gateway, request(facts.clone(), kind))
            .await
            .unwrap()
    };

    let tickets = document(DocumentKind::TicketsPdf).await;
    assert!(tickets.content.starts_with(b"%PDF-"));
    assert_eq!(tickets.media_type, "application/pdf");
    assert_eq!(tickets.file_name, "tickets-BX-7K3M9Q.pdf");

    let calendar = document(DocumentKind::Calendar).await;
    assert!(calendar.content.starts_with(b"BEGIN:VCALENDAR\r\n"));
    assert_eq!(calendar.media_type, "text/calendar; charset=utf-8");
    assert_eq!(calendar.file_name, "event-BX-7K3M9Q.ics");

    let receipt = document(DocumentKind::ReceiptPdf).await;
    assert!(receipt.content.starts_with(b"%PDF-"));
    assert_eq!(receipt.media_type, "application/pdf");
    assert_eq!(receipt.file_name, "receipt-BX-7K3M9Q.pdf");

    let receipt = document(DocumentKind::ReceiptHtml).await;
    let html = String::from_utf8(receipt.content).unwrap();
    // The template engine writes slashes as entities.
    let html = html.replace("&#x2f;", "/");
    for fact in [LINK, "BX1:FIRST", "Nightjar Concerts", "90.00 EUR"] {
        assert!(html.contains(fact), "{fact} is missing in:\n{html}");
    }
    assert_eq!(receipt.media_type, "text/html; charset=utf-8");
    assert_eq!(receipt.file_name, "receipt-BX-7K3M9Q.html");
    assert!(
        harness.sink.messages().is_empty(),
        "a download is no message"
    );
    harness.check_invariants(0).await;
}

#[tokio::test]
async fn a_ticket_that_was_handed_on_has_its_documents_when_its_guest_was_erased() {
    let harness = Harness::start().await;
    let mut facts = harness.paid();
    facts.email.clear();
    facts.phone_number.clear();
    // A name may stand there all the same.
    for name in ["Zofia Wójcik", ""] {
        facts.name = name.to_owned();
        for kind in [
            DocumentKind::TicketsPdf,
            DocumentKind::Calendar,
            DocumentKind::ReceiptPdf,
        ] {
            let asked = request(facts.clone(), kind);
            let drawn = render(&harness, Peer::Gateway, asked).await;
            assert!(!drawn.unwrap().content.is_empty(), "{kind:?}");
        }
        let page = request(facts.clone(), DocumentKind::ReceiptHtml);
        let page = render(&harness, Peer::Gateway, page).await.unwrap();
        let html = String::from_utf8(page.content).unwrap();
        assert!(!html.contains("Sent to"), "{html}");
    }
    // No mail goes to nobody.
    let envelope = harness.envelope_of(facts.clone());
    assert!(harness.accept(&[envelope]).await.is_empty());
    facts.email = "zofia".to_owned();
    let asked = request(facts, DocumentKind::TicketsPdf);
    let refused = render(&harness, Peer::Gateway, asked).await.unwrap_err();
    assert_eq!(refused.fields[0].field, "email");
    harness.check_invariants(0).await;
}

#[tokio::test]
async fn a_field_that_is_missing_is_named() {
    let harness = Harness::start().await;
    let pdf = DocumentKind::TicketsPdf;
    let spoilt = |spoil: fn(&mut OrderPaid)| {
        let mut facts = harness.paid();
        spoil(&mut facts);
        request(facts, pdf)
    };
    for (request, field) in [
        (request(harness.paid(), DocumentKind::Unspecified), "kind"),
        (
            RenderDocumentRequest {
                facts: Some(harness.paid()),
                kind: 99,
            },
            "kind",
        ),
        (
            RenderDocumentRequest {
                facts: None,
                kind: pdf.into(),
            },
            "facts",
        ),
        (
            spoilt(|facts| facts.sealed_order_link.clear()),
            "sealed_order_link",
        ),
        (spoilt(|facts| facts.event = None), "event"),
        (
            spoilt(|facts| facts.lines[0].unit_price = None),
            "lines.unit_price",
        ),
        (
            spoilt(|facts| facts.lines[0].unit_fee = Some(Default::default())),
            "lines.unit_fee",
        ),
        (
            spoilt(|facts| facts.lines[0].tax_rate_ppm = 190_000),
            "lines.tax",
        ),
        (spoilt(|facts| facts.tickets[0].id.clear()), "tickets.id"),
    ] {
        let failure = render(&harness, Peer::Gateway, request).await.unwrap_err();
        assert_eq!(failure.code, Code::InvalidArgument, "{field}");
        assert_eq!(failure.reason, ErrorReason::InvalidRequest, "{field}");
        assert_eq!(failure.certainty, Certainty::NotDone, "{field}");
        assert_eq!(failure.fields[0].field, field);
    }
    harness.check_invariants(0).await;
}

#[tokio::test]
async fn what_cannot_be_drawn_is_our_fault_and_tells_nothing() {
    let harness = Harness::start().await;
    let mut facts = harness.paid();
    facts.tickets[0].code = "x".repeat(5_000);
    let request = request(facts, DocumentKind::TicketsPdf);
    let failure = render(&harness, Peer::Gateway, request).await.unwrap_err();
    assert_eq!(
        (failure.code, failure.reason),
        (Code::Internal, ErrorReason::Internal)
    );
    assert!(!failure.detail.contains("QR"), "{}", failure.detail);
    harness.check_invariants(0).await;
}

#[tokio::test]
async fn only_the_gateway_may_ask() {
    let harness = Harness::start().await;
    let request = request(harness.paid(), DocumentKind::Calendar);
    for peer in [Peer::Payment, Peer::Ticket, Peer::User, Peer::Notify] {
        let failure = render(&harness, peer, request.clone()).await.unwrap_err();
        assert_eq!(failure.code, Code::PermissionDenied, "{peer:?}");
        assert_eq!(failure.reason, ErrorReason::CallerNotAllowed, "{peer:?}");
    }
    let url = harness.url().to_owned();
    let mut nobody = DocumentServiceClient::connect(url).await.unwrap();
    let status = nobody.render_document(request).await.unwrap_err();
    assert_eq!(
        Failure::from_status(&status).reason,
        ErrorReason::CallerNotAllowed
    );
    harness.check_invariants(0).await;
}

/// The entry that a mail brings, with its folds undone.
async fn entry_of(harness: &Harness, payload: Payload) -> String {
    let envelope = harness.message(payload);
    harness.accept(std::slice::from_ref(&envelope)).await;
    harness.reaches(&envelope, "sent", 1).await;
    let mail = harness.sink.messages().pop().unwrap().data;
    let (_, part) = mail.split_once("Content-Type: text/calendar").unwrap();
    let (_, body) = part.split_once("\r\n\r\n").unwrap();
    let (entry, _) = body.split_once("\r\n--").unwrap();
    let head = part.split_once("\r\n\r\n").unwrap().0;
    assert!(!head.contains("base64"), "{head}");
    format!("{head}\r\n{entry}")
        .replace("=\r\n", "")
        .replace("=3D", "=")
}

#[tokio::test]
async fn news_of_an_event_bring_its_entry_up_to_date() {
    let harness = Harness::start().await;
    let mut order = harness.order();
    let event = order.event.as_mut().unwrap();
    let previous = event
        .date_time
        .replace(proto::timestamp(datetime!(2026-07-12 18:00 UTC)));
    event.version = 5;
    let postponed = Payload::OrderPostponed(OrderPostponed {
        order: Some(order.clone()),
        number: 1,
        previous_date_time: previous,
        explanation: String::new(),
        cancel_until: None,
    });
    let entry = entry_of(&harness, postponed).await;
    for part in [
        "method=PUBLISH",
        "SEQUENCE:5\r\n",
        "DTSTART;TZID=Europe/Prague:20260712T200000\r\n",
        "STATUS:CONFIRMED\r\n",
    ] {
        assert!(entry.contains(part), "{part} is missing: {entry}");
    }

    let cancelled = Payload::OrderCancelled(OrderCancelled {
        order: Some(order),
        explanation: String::new(),
        refund: None,
    });
    let entry = entry_of(&harness, cancelled).await;
    for part in [
        "method=CANCEL",
        "METHOD:CANCEL\r\n",
        "SEQUENCE:6\r\n",
        "STATUS:CANCELLED\r\n",
    ] {
        assert!(entry.contains(part), "{part} is missing: {entry}");
    }
    harness.check_invariants(0).await;
}
