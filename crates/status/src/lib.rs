//! How a service is: its version, and what it announced that nobody has confirmed. Every service answers for
//! itself.

use std::time::Duration;

use db::{Db, DbError};
use kit::Failure;
use proto::status::{
    GetStatusRequest, GetStatusResponse, Outbox,
    status_service_server::{StatusService, StatusServiceServer},
};
use tonic::{Request, Response, Status};

/// One service's own.
#[derive(Clone)]
pub struct Own {
    outbox: Option<Db>,
}

/// Ready to be added to a server; with the database that has the service's outbox, if it has one.
pub fn service(outbox: Option<Db>) -> StatusServiceServer<Own> {
    StatusServiceServer::new(Own { outbox })
}

#[tonic::async_trait]
impl StatusService for Own {
    async fn get_status(
        &self,
        _request: Request<GetStatusRequest>,
    ) -> Result<Response<GetStatusResponse>, Status> {
        let outbox = match &self.outbox {
            Some(db) => Some(
                open(db)
                    .await
                    .map_err(|error| Failure::from(error).into_status())?,
            ),
            None => None,
        };
        Ok(Response::new(GetStatusResponse {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            outbox,
        }))
    }
}

/// Of the table that `events` keeps.
async fn open(db: &Db) -> Result<Outbox, DbError> {
    let read = db.read((), |session, ()| {
        Box::pin(async move {
            let open = sqlx::query_as(
                "SELECT count(*), extract(epoch FROM clock_timestamp() - min(created_at))::float8
                 FROM outbox WHERE confirmed_at IS NULL",
            );
            let open: (i64, Option<f64>) = open.fetch_one(session).await?;
            Ok::<_, DbError>(open)
        })
    });
    let (open, age_secs) = read.await?;
    let oldest = age_secs.map(|secs| Duration::from_secs_f64(secs.max(0.0)));
    Ok(Outbox {
        open: open.unsigned_abs(),
        oldest: oldest.and_then(|age| prost_types::Duration::try_from(age).ok()),
    })
}
