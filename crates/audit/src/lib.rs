//! How the record of what admins did is read. Every service answers for its own part.

mod list;
mod wish;

use std::sync::Arc;

use base::UserId;
use db::Db;
use futures::future::BoxFuture;
use kit::{Admin, Failure};
use proto::{
    Grant,
    audit::{
        ListAuditRequest, ListAuditResponse,
        audit_service_server::{AuditService, AuditServiceServer},
    },
};
use tonic::{Request, Response, Status};
use uuid::Uuid;

/// What of a service's record an admin may read who is no superadmin.
#[derive(Clone, Debug)]
pub enum Sight {
    /// What was done to these events and to what belongs to them.
    Events(Vec<Uuid>),
    /// What they did, and what was done to their own account.
    Own(UserId),
}

/// Says what an admin may read.
pub trait Sees: Send + Sync + 'static {
    /// For an admin who is no superadmin; `grants` are those of which one is enough on an event.
    fn sight(
        &self,
        admin: Admin,
        grants: &'static [Grant],
    ) -> BoxFuture<'_, Result<Sight, Failure>>;
}

/// One service's part of the record.
#[derive(Clone)]
pub struct Record {
    db: Db,
    sees: Arc<dyn Sees>,
}

/// Ready to be added to a server.
pub fn service(db: Db, sees: impl Sees) -> AuditServiceServer<Record> {
    let sees = Arc::new(sees);
    AuditServiceServer::new(Record { db, sees })
}

#[tonic::async_trait]
impl AuditService for Record {
    async fn list_audit(
        &self,
        request: Request<ListAuditRequest>,
    ) -> Result<Response<ListAuditResponse>, Status> {
        let answer = self.list(request).await;
        answer.map(Response::new).map_err(Failure::into_status)
    }
}

impl Record {
    async fn list(&self, request: Request<ListAuditRequest>) -> Result<ListAuditResponse, Failure> {
        let admin = kit::admin(&request)?;
        let sight = if admin.superadmin {
            None
        } else {
            Some(self.sees.sight(admin, kit::grants(&request)).await?)
        };
        let wish = wish::read(&request.into_inner())?;
        let read = self.db.read((wish, sight), |conn, (wish, sight)| {
            Box::pin(list::find(conn, wish, sight.as_ref()))
        });
        let entries = read.await.map_err(Failure::from)?;
        Ok(ListAuditResponse { entries })
    }
}
