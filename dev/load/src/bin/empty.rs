//! The least that a member of a mesh can be: axum and tonic in one process, with nothing in them. The footprint of the
//! box office is compared with it.

use axum::{Router, routing::get};
use proto::ticket::{
    GetHoldRequest, GetHoldResponse, HoldTicketsRequest, HoldTicketsResponse, ReleaseHoldRequest,
    ReleaseHoldResponse,
    hold_service_server::{HoldService, HoldServiceServer},
};
use tokio::net::TcpListener;
use tonic::{
    Request, Response, Status,
    transport::{Server, server::TcpIncoming},
};

struct Nothing;

#[tonic::async_trait]
impl HoldService for Nothing {
    async fn hold_tickets(
        &self,
        _: Request<HoldTicketsRequest>,
    ) -> Result<Response<HoldTicketsResponse>, Status> {
        Ok(Response::new(Default::default()))
    }

    async fn get_hold(
        &self,
        _: Request<GetHoldRequest>,
    ) -> Result<Response<GetHoldResponse>, Status> {
        Ok(Response::new(Default::default()))
    }

    async fn release_hold(
        &self,
        _: Request<ReleaseHoldRequest>,
    ) -> Result<Response<ReleaseHoldResponse>, Status> {
        Ok(Response::new(Default::default()))
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let grpc = TcpListener::bind("127.0.0.1:0").await?;
    let http = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on {}", http.local_addr()?);
    let router = Router::new().route("/readyz", get(async || "ready"));
    let serving = Server::builder()
        .add_service(HoldServiceServer::new(Nothing))
        .serve_with_incoming(TcpIncoming::from(grpc));
    tokio::try_join!(async { Ok(serving.await?) }, async {
        anyhow::Ok(axum::serve(http, router).await?)
    },)?;
    Ok(())
}
