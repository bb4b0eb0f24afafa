//! A collector of traces that takes everything and keeps nothing.

use std::net::SocketAddr;

use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
    trace_service_server::{TraceService, TraceServiceServer},
};
use tokio::{net::TcpListener, task::JoinSet};
use tonic::{Request, Response, Status, transport::Server, transport::server::TcpIncoming};

#[derive(Debug)]
pub struct Collector {
    pub addr: SocketAddr,
    _serving: JoinSet<()>,
}

struct Taker;

impl Collector {
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let addr = listener.local_addr()?;
        let server = Server::builder().add_service(TraceServiceServer::new(Taker));
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            // It ends with the bench.
            drop(
                server
                    .serve_with_incoming(TcpIncoming::from(listener))
                    .await,
            );
        });
        Ok(Self {
            addr,
            _serving: serving,
        })
    }
}

#[tonic::async_trait]
impl TraceService for Taker {
    async fn export(
        &self,
        _: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}
