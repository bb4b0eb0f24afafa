//! The index of what the service knows about how a sale goes.

use proto::ticket::{
    self as api, insight_admin_service_server::InsightAdminService,
    view_service_server::ViewService,
};
use tonic::{Request, Response};

use super::{Answer, Rpc, admin, internal};

#[tonic::async_trait]
impl InsightAdminService for Rpc {
    async fn read_traffic(
        &self,
        r: Request<api::ReadTrafficRequest>,
    ) -> Answer<api::ReadTrafficResponse> {
        Ok(Response::new(
            admin::read_traffic::read_traffic(&self.app, r).await?,
        ))
    }
}

#[tonic::async_trait]
impl ViewService for Rpc {
    async fn count_views(
        &self,
        r: Request<api::CountViewsRequest>,
    ) -> Answer<api::CountViewsResponse> {
        Ok(Response::new(
            internal::count_views::count_views(&self.app, &r.into_inner()).await?,
        ))
    }
}
