//! The index of the service: a line per call.

mod admin;
mod internal;

use std::sync::Arc;

use proto::notify::{
    accept_service_server::AcceptService, delivery_service_server::DeliveryService,
    document_service_server::DocumentService,
    notification_admin_service_server::NotificationAdminService,
    template_admin_service_server::TemplateAdminService, *,
};
use tonic::{Request, Response, Status};

use crate::app::App;

pub(crate) use admin::OwnEvents;

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

#[tonic::async_trait]
impl DeliveryService for Rpc {
    async fn get_delivery(
        &self,
        r: Request<GetDeliveryRequest>,
    ) -> Result<Response<GetDeliveryResponse>, Status> {
        Ok(Response::new(
            internal::get_delivery::get_delivery(&self.app, r.into_inner()).await?,
        ))
    }
}

#[tonic::async_trait]
impl NotificationAdminService for Rpc {
    async fn list_notifications(
        &self,
        r: Request<ListNotificationsRequest>,
    ) -> Result<Response<ListNotificationsResponse>, Status> {
        Ok(Response::new(
            admin::list_notifications::list_notifications(&self.app, r).await?,
        ))
    }

    async fn get_notification(
        &self,
        r: Request<GetNotificationRequest>,
    ) -> Result<Response<GetNotificationResponse>, Status> {
        Ok(Response::new(
            admin::get_notification::get_notification(&self.app, r).await?,
        ))
    }

    async fn read_notification(
        &self,
        r: Request<ReadNotificationRequest>,
    ) -> Result<Response<ReadNotificationResponse>, Status> {
        Ok(Response::new(
            admin::read_notification::read_notification(&self.app, r).await?,
        ))
    }

    async fn retry_notification(
        &self,
        r: Request<RetryNotificationRequest>,
    ) -> Result<Response<RetryNotificationResponse>, Status> {
        Ok(Response::new(
            admin::retry_notification::retry_notification(&self.app, r).await?,
        ))
    }

    async fn resend_notification(
        &self,
        r: Request<ResendNotificationRequest>,
    ) -> Result<Response<ResendNotificationResponse>, Status> {
        Ok(Response::new(
            admin::resend_notification::resend_notification(&self.app, r).await?,
        ))
    }

    async fn dismiss_notification(
        &self,
        r: Request<DismissNotificationRequest>,
    ) -> Result<Response<DismissNotificationResponse>, Status> {
        Ok(Response::new(
            admin::dismiss_notification::dismiss_notification(&self.app, r).await?,
        ))
    }

    async fn report_bounce(
        &self,
        r: Request<ReportBounceRequest>,
    ) -> Result<Response<ReportBounceResponse>, Status> {
        Ok(Response::new(
            admin::report_bounce::report_bounce(&self.app, r).await?,
        ))
    }

    async fn list_poison_messages(
        &self,
        r: Request<ListPoisonMessagesRequest>,
    ) -> Result<Response<ListPoisonMessagesResponse>, Status> {
        Ok(Response::new(
            admin::list_poison_messages::list_poison_messages(&self.app, r).await?,
        ))
    }

    async fn dismiss_poison_message(
        &self,
        r: Request<DismissPoisonMessageRequest>,
    ) -> Result<Response<DismissPoisonMessageResponse>, Status> {
        Ok(Response::new(
            admin::dismiss_poison_message::dismiss_poison_message(&self.app, r).await?,
        ))
    }
}

#[tonic::async_trait]
impl TemplateAdminService for Rpc {
    async fn list_templates(
        &self,
        _: Request<ListTemplatesRequest>,
    ) -> Result<Response<ListTemplatesResponse>, Status> {
        Ok(Response::new(
            admin::list_templates::list_templates(&self.app).await?,
        ))
    }

    async fn get_template(
        &self,
        r: Request<GetTemplateRequest>,
    ) -> Result<Response<GetTemplateResponse>, Status> {
        Ok(Response::new(
            admin::get_template::get_template(&self.app, r.into_inner()).await?,
        ))
    }

    async fn preview_template(
        &self,
        r: Request<PreviewTemplateRequest>,
    ) -> Result<Response<PreviewTemplateResponse>, Status> {
        Ok(Response::new(
            admin::preview_template::preview_template(&self.app, r.into_inner()).await?,
        ))
    }

    async fn publish_template(
        &self,
        r: Request<PublishTemplateRequest>,
    ) -> Result<Response<PublishTemplateResponse>, Status> {
        Ok(Response::new(
            admin::publish_template::publish_template(&self.app, r).await?,
        ))
    }

    async fn revert_template(
        &self,
        r: Request<RevertTemplateRequest>,
    ) -> Result<Response<RevertTemplateResponse>, Status> {
        Ok(Response::new(
            admin::revert_template::revert_template(&self.app, r).await?,
        ))
    }
}
