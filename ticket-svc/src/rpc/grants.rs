//! The index of grants, and which part of the record they open.

use audit::{Sees, Sight};
use base::UserId;
use db::Db;
use futures::future::BoxFuture;
use kit::{Admin, Failure};
use proto::{
    Grant,
    ticket::{
        self as api, grant_admin_service_server::GrantAdminService,
        grant_service_server::GrantService,
    },
};
use sqlx::PgConnection;
use tonic::{Request, Response};
use uuid::Uuid;

use super::{Answer, Rpc, admin, internal};
use crate::{error::Error, store::grants::words};

#[tonic::async_trait]
impl GrantService for Rpc {
    async fn check_grant(
        &self,
        r: Request<api::CheckGrantRequest>,
    ) -> Answer<api::CheckGrantResponse> {
        Ok(Response::new(
            internal::check_grant::check_grant(&self.app, &r.into_inner()).await?,
        ))
    }

    async fn list_grants(
        &self,
        r: Request<api::ListGrantsRequest>,
    ) -> Answer<api::ListGrantsResponse> {
        Ok(Response::new(
            internal::list_grants::list_grants(&self.app, &r.into_inner()).await?,
        ))
    }
}

#[tonic::async_trait]
impl GrantAdminService for Rpc {
    async fn list_event_grants(
        &self,
        r: Request<api::ListEventGrantsRequest>,
    ) -> Answer<api::ListEventGrantsResponse> {
        Ok(Response::new(
            admin::list_event_grants::list_event_grants(&self.app, r).await?,
        ))
    }

    async fn set_event_grant(
        &self,
        r: Request<api::SetEventGrantRequest>,
    ) -> Answer<api::SetEventGrantResponse> {
        Ok(Response::new(
            admin::set_event_grant::set_event_grant(&self.app, r).await?,
        ))
    }

    async fn remove_event_grant(
        &self,
        r: Request<api::RemoveEventGrantRequest>,
    ) -> Answer<api::RemoveEventGrantResponse> {
        Ok(Response::new(
            admin::remove_event_grant::remove_event_grant(&self.app, r).await?,
        ))
    }
}

/// An admin reads the record of the events that they were granted.
pub struct OwnEvents(pub Db);

impl Sees for OwnEvents {
    fn sight(
        &self,
        admin: Admin,
        grants: &'static [Grant],
    ) -> BoxFuture<'_, Result<Sight, Failure>> {
        Box::pin(async move {
            let wanted = (admin.id, words(grants));
            let read = self.0.read(wanted, |conn, (user, roles)| {
                Box::pin(granted(conn, *user, roles))
            });
            Ok(Sight::Events(read.await.map_err(Error::failure)?))
        })
    }
}

async fn granted(
    conn: &mut PgConnection,
    user: UserId,
    roles: &[String],
) -> Result<Vec<Uuid>, Error> {
    let events = sqlx::query_scalar!(
        "SELECT event_id FROM event_grants WHERE user_id = $1 AND role = ANY($2)",
        user.uuid(),
        roles,
    );
    Ok(events.fetch_all(conn).await?)
}
