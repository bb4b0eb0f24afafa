//! The index of the service: a line per call.

mod internal;

use std::sync::Arc;

use proto::notify::{
    AcceptRequest, AcceptResponse, RenderDocumentRequest, RenderDocumentResponse,
    accept_service_server::AcceptService, document_service_server::DocumentService,
};
use tonic::{Request, Response, Status};

use crate::app::App;

#[derive(Clone)]
pub(crate) struct Rpc {
    pub app: Arc<App>,
}

#[tonic::async_trait]
impl AcceptService for Rpc {
    async fn accept(&self, r: Request<AcceptRequest>) -> Result<Response<AcceptResponse>, Status> {
        Ok(Response::new(
            internal::accept::accept_request(&self.app, r.into_inner()).await?,
        ))
    }
}

#[tonic::async_trait]
impl DocumentService for Rpc {
    async fn render_document(
        &self,
        r: Request<RenderDocumentRequest>,
    ) -> Result<Response<RenderDocumentResponse>, Status> {
        Ok(Response::new(
            internal::render_document::render_document(&self.app, r.into_inner()).await?,
        ))
    }
}
