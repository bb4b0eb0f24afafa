//! Limits that are servers: this program again, in a process of its own.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::Context as _;
use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::{MethodRouter, get},
    serve::ListenerExt as _,
};
use proto::ticket::{
    HoldTicketsLine, HoldTicketsRequest, hold_batch_service_server::HoldBatchServiceServer,
    hold_service_client::HoldServiceClient, hold_service_server::HoldServiceServer,
};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tonic::{
    service::Routes,
    transport::{
        Certificate, Channel, Endpoint, Identity, Server, ServerTlsConfig, server::TcpIncoming,
    },
};

use super::{naive::Naive, stub::Stub};
use crate::args::Args;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Mode {
    /// axum answers the same bytes.
    Bytes,
    /// axum answers the same bytes after one atomic load.
    Counter,
    /// axum → tonic, nothing stored.
    Echo,
    /// axum → tonic → a transaction for each.
    Naive,
    /// The same without a guard: it oversells.
    Unguarded,
    /// tonic alone, nothing stored.
    Grpc,
}

const ETAG: &str = "\"the-same-bytes\"";

pub async fn serve(mode: Mode, args: &Args) -> anyhow::Result<()> {
    match mode {
        Mode::Bytes | Mode::Counter => {
            let folder = args.body.as_ref().context("--body is needed")?;
            let body = |name: &str| std::fs::read(folder.join(name)).map(Bytes::from);
            let live = (mode == Mode::Counter).then(|| Arc::new(AtomicU64::new(1)));
            let answers = |name: &str| -> anyhow::Result<MethodRouter> {
                let page_of = Page {
                    body: body(name)?,
                    live: live.clone(),
                };
                Ok(get(page).with_state(page_of))
            };
            let router = Router::new()
                .route("/api/v1/events", answers("list.json")?)
                .fallback_service(answers("event.json")?);
            serve_http(router).await
        }
        Mode::Grpc => {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            println!("listening on {}", listener.local_addr()?);
            let stub = Arc::new(Stub::default());
            let services = Routes::new(HoldServiceServer::from_arc(stub.clone()))
                .add_service(HoldBatchServiceServer::from_arc(stub));
            match &args.certs {
                None => serve_grpc(Server::builder(), listener, services).await,
                Some(folder) => {
                    let server = Server::builder().tls_config(mutual_tls(folder)?)?;
                    serve_grpc(server, listener, services).await
                }
            }
        }
        Mode::Echo => chain(HoldServiceServer::new(Stub::default())).await,
        Mode::Naive | Mode::Unguarded => {
            let url = args.database_url.as_deref();
            let url = url.context("--database-url is needed")?;
            let guarded = mode == Mode::Naive;
            chain(HoldServiceServer::new(Naive::connect(url, guarded).await?)).await
        }
    }
}

async fn serve_http(router: Router) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on {}", listener.local_addr()?);
    let listener = listener.tap_io(|stream| {
        // Without it answers wait for acknowledgements, and the limit would be too low.
        let _ = stream.set_nodelay(true);
    });
    Ok(axum::serve(listener, router).await?)
}

/// What a page answers.
#[derive(Clone)]
struct Page {
    body: Bytes,
    /// Looked at before each answer, where the limit is one that counts.
    live: Option<Arc<AtomicU64>>,
}

/// Answers the same bytes, or 304 to who has them.
async fn page(State(page): State<Page>, headers: HeaderMap) -> Response {
    if page
        .live
        .is_some_and(|live| live.load(Ordering::Relaxed) == 0)
    {
        return StatusCode::GONE.into_response();
    }
    let tags = [(header::ETAG, ETAG), (header::CACHE_CONTROL, "no-cache")];
    let known = headers.get(header::IF_NONE_MATCH);
    if known.is_some_and(|tag| tag.as_bytes() == ETAG.as_bytes()) {
        return (StatusCode::NOT_MODIFIED, tags).into_response();
    }
    let json = [(header::CONTENT_TYPE, "application/json")];
    (tags, json, page.body).into_response()
}

type Grpc<S> = HoldServiceServer<S>;

async fn serve_grpc(
    mut server: Server,
    listener: TcpListener,
    services: Routes,
) -> anyhow::Result<()> {
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let server = server.add_routes(services);
    Ok(server.serve_with_incoming(incoming).await?)
}

/// With a member's files, and for whoever the same authority has signed.
fn mutual_tls(folder: &Path) -> anyhow::Result<ServerTlsConfig> {
    let read = |name: &str| std::fs::read(folder.join(name));
    Ok(ServerTlsConfig::new()
        .identity(Identity::from_pem(read("tls.crt")?, read("tls.key")?))
        .client_ca_root(Certificate::from_pem(read("ca.crt")?)))
}

/// axum before tonic, over a connection of loopback, as a gateway and a service are.
async fn chain<S>(service: Grpc<S>) -> anyhow::Result<()>
where
    S: proto::ticket::hold_service_server::HoldService,
{
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr: SocketAddr = listener.local_addr()?;
    let channel = Endpoint::from_shared(format!("http://{addr}"))?.connect_lazy();
    let holds = HoldServiceClient::new(channel);
    let router = Router::new()
        .route("/api/v1/holds", axum::routing::post(hold))
        .with_state(holds);
    tokio::try_join!(
        serve_grpc(Server::builder(), listener, Routes::new(service)),
        serve_http(router)
    )?;
    Ok(())
}

#[derive(Deserialize)]
struct NewHold {
    event_id: String,
    lines: Vec<NewLine>,
}

#[derive(Deserialize)]
struct NewLine {
    ticket_type_id: String,
    quantity: u32,
}

/// As many bytes as ours.
#[derive(Serialize)]
struct MadeHold {
    id: String,
    event_id: String,
    status: &'static str,
    expires_at: String,
    lines: Vec<MadeLine>,
    total: Amount,
    secret: String,
}

#[derive(Serialize)]
struct MadeLine {
    ticket_type_id: String,
    category: String,
    quantity: u32,
    unit_price: Amount,
    line_total: Amount,
    unit_fee: Amount,
    tax_rate_ppm: u32,
    tax: Option<Amount>,
    refunded_quantity: u32,
}

#[derive(Serialize)]
struct Amount {
    amount_minor: i64,
    currency: String,
}

impl From<Option<proto::common::Money>> for Amount {
    fn from(money: Option<proto::common::Money>) -> Self {
        let money = money.unwrap_or_default();
        Self {
            amount_minor: money.amount_minor,
            currency: money.currency,
        }
    }
}

async fn hold(
    State(mut holds): State<HoldServiceClient<Channel>>,
    headers: HeaderMap,
    Json(new): Json<NewHold>,
) -> Response {
    let key = headers.get("idempotency-key");
    let key = key.and_then(|key| key.to_str().ok()).unwrap_or_default();
    let line = |line: NewLine| HoldTicketsLine {
        ticket_type_id: line.ticket_type_id,
        quantity: line.quantity,
    };
    let request = HoldTicketsRequest {
        event_id: new.event_id,
        lines: new.lines.into_iter().map(line).collect(),
        idempotency_key: key.to_owned(),
    };
    match holds.hold_tickets(request).await {
        Ok(made) => (StatusCode::CREATED, Json(made_hold(made.into_inner()))).into_response(),
        Err(status) if status.code() == tonic::Code::FailedPrecondition => {
            let body = r#"{"reason":"SOLD_OUT"}"#;
            (StatusCode::CONFLICT, body).into_response()
        }
        Err(status) => (StatusCode::INTERNAL_SERVER_ERROR, status.to_string()).into_response(),
    }
}

fn made_hold(made: proto::ticket::HoldTicketsResponse) -> MadeHold {
    let hold = made.hold.unwrap_or_default();
    let line = |line: proto::ticket::HoldLine| MadeLine {
        ticket_type_id: line.ticket_type_id,
        category: line.category,
        quantity: line.quantity,
        unit_price: line.unit_price.into(),
        line_total: line.line_total.into(),
        unit_fee: line.unit_fee.into(),
        tax_rate_ppm: line.tax_rate_ppm,
        tax: None,
        refunded_quantity: 0,
    };
    MadeHold {
        id: hold.id,
        event_id: hold.event_id,
        status: "active",
        expires_at: format!(
            "2031-06-12T18:00:00.{:06}Z",
            hold.expires_at.unwrap_or_default().nanos
        ),
        lines: hold.lines.into_iter().map(line).collect(),
        total: hold.total.into(),
        secret: made.secret,
    }
}
