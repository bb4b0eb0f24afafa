//! Receipts rendered and sent by the code that notify-svc sends with, without a queue and without a database.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use base::{OrderId, Sources};
use lettre::transport::smtp::{client::AsyncSmtpConnection, extension::ClientId};
use notify_svc::render::{
    Event, Kind, Language, Line, Order, Receipt, Seller, Stamp, Ticket, letter_message,
    receipt_letter, ticket_files,
};
use tokio::{net::TcpStream, task::JoinSet};

use crate::stats::rate;

/// As long as a real one.
const CODE: &str = "BX2$Y88IH100+80:3N4VF77E88G000000100100000L+VWSLLVBL/E66BG 43CFV/IT54GB6MF9::RYW8YS7-$CIMVLQOD*NWG206RRUBJ1S999IRQPQH.-SA-7MWIL.6$.05QC8H0";

/// Mails per second over so long, so many at once.
pub async fn run(address: SocketAddr, senders: usize, lasting: Duration) -> anyhow::Result<f64> {
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..senders {
        let tcp = TcpStream::connect(address).await?;
        // As notify-svc does: a mail ends in a packet of its own.
        tcp.set_nodelay(true)?;
        let hello = ClientId::default();
        let mut line = AsyncSmtpConnection::connect_with_transport(Box::new(tcp), &hello).await?;
        tasks.spawn(async move {
            let mut sent = 0_u64;
            while began.elapsed() < lasting {
                // As notify-svc does: drawing takes a while.
                let mail = tokio::task::spawn_blocking(mail).await??;
                line.send(mail.envelope(), &mail.formatted()).await?;
                sent += 1;
            }
            anyhow::Ok(sent)
        });
    }
    let mut sent = 0;
    while let Some(done) = tasks.join_next().await {
        sent += done??;
    }
    Ok(rate(sent, began.elapsed()))
}

fn mail() -> anyhow::Result<lettre::Message> {
    let sources = Sources::system();
    let receipt = receipt(&sources)?;
    let stamp = Stamp {
        from: "tickets@example.org".parse()?,
        message_id: format!("{}@example.org", sources.uuid_v7()),
        date: sources.now(),
    };
    let wording = Kind::Receipt.wording(Language::En);
    let files = ticket_files(&receipt)?;
    Ok(letter_message(
        &receipt_letter(&receipt)?,
        wording,
        files,
        stamp,
    )?)
}

/// What the bench's orders are, too: one ticket of one type.
fn receipt(sources: &Sources) -> anyhow::Result<Receipt> {
    let price = base::Money::new(4500, "EUR".parse()?);
    let order = OrderId::from(sources.uuid_v7());
    Ok(Receipt {
        order: Order {
            id: order,
            number: "BX-2F7K-9QDM".to_owned(),
            email: "guest@example.org".to_owned(),
            name: Some("Anežka Nováková".to_owned()),
            phone: "+420123456789".to_owned(),
            paid_at: sources.now(),
            total: price,
            link: format!("http://127.0.0.1:8080/o/{order}/{}", &CODE[..60]),
            language: Language::En,
        },
        event: Event {
            id: sources.uuid_v7().into(),
            title: "A concert".to_owned(),
            location: "Palác Akropolis, Praha".to_owned(),
            description: "Two sets and a break. Doors open an hour before; the bar takes cards. "
                .repeat(4),
            starts_at: sources.now() + time::Duration::days(90),
            zone: "Europe/Prague".parse()?,
            version: 1,
            public_url: "http://127.0.0.1:8080".to_owned(),
        },
        lines: vec![Line {
            category: "Standing".to_owned(),
            quantity: 1,
            unit_price: price,
            line_total: price,
            unit_fee: None,
            tax: None,
        }],
        tickets: vec![Ticket {
            id: sources.uuid_v7().into(),
            code: CODE.to_owned(),
            category: "Standing".to_owned(),
        }],
        seller: Seller {
            name: "Boxoffice".to_owned(),
            address: String::new(),
            tax_id: String::new(),
            contact: String::new(),
        },
    })
}
