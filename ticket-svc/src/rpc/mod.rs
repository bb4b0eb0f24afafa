//! The index of what the service answers.

use std::sync::Arc;

use kit::ServerBuilder;
use proto::ticket::{
    self as api, catalog_admin_service_server as catalog_admin, catalog_service_server as catalog,
    change_service_server as change, grant_admin_service_server as grant_admin,
    grant_service_server as grant, hold_batch_service_server as hold_batch,
    hold_service_server as hold, insight_admin_service_server as insight_admin,
    inventory_service_server as inventory, pool_audit_service_server as pool_audit,
    ticket_code_service_server as ticket_code, view_service_server as view_count,
};
use tonic::{Request, Response, Status};

use crate::{announce::Announced, app::App};

pub(crate) mod admin;
mod fields;
mod grants;
mod guest;
mod insights;
mod internal;
mod proof;
mod ticket_codes;
pub(crate) mod view;

type Answer<T> = Result<Response<T>, Status>;

/// Registers every service of ticket-svc.
pub fn register(builder: ServerBuilder, app: Arc<App>) -> ServerBuilder {
    let announce = app.announce.clone();
    let record = audit::service(app.db.clone(), grants::OwnEvents(app.db.clone()));
    let rpc = Rpc { app };
    let catalog_admin = catalog_admin::CatalogAdminServiceServer::new(rpc.clone());
    builder
        .add_service(record)
        .add_service(status::service(None))
        .add_service(catalog::CatalogServiceServer::new(rpc.clone()))
        .add_service(Announced::new(catalog_admin, announce))
        .add_service(hold::HoldServiceServer::new(rpc.clone()))
        .add_service(hold_batch::HoldBatchServiceServer::new(rpc.clone()))
        .add_service(change::ChangeServiceServer::new(rpc.clone()))
        .add_service(grant::GrantServiceServer::new(rpc.clone()))
        .add_service(grant_admin::GrantAdminServiceServer::new(rpc.clone()))
        .add_service(pool_audit::PoolAuditServiceServer::new(rpc.clone()))
        .add_service(ticket_code::TicketCodeServiceServer::new(rpc.clone()))
        .add_service(insight_admin::InsightAdminServiceServer::new(rpc.clone()))
        .add_service(view_count::ViewServiceServer::new(rpc.clone()))
        .add_service(inventory::InventoryServiceServer::new(rpc))
}

#[derive(Clone)]
struct Rpc {
    app: Arc<App>,
}

#[tonic::async_trait]
impl catalog::CatalogService for Rpc {
    async fn list_events(
        &self,
        r: Request<api::ListEventsRequest>,
    ) -> Answer<api::ListEventsResponse> {
        Ok(Response::new(
            guest::list_events::list_events(&self.app, &r.into_inner()).await?,
        ))
    }

    async fn get_event(&self, r: Request<api::GetEventRequest>) -> Answer<api::GetEventResponse> {
        Ok(Response::new(
            guest::get_event::get_event(&self.app, r.into_inner()).await?,
        ))
    }

    async fn read_programme(
        &self,
        r: Request<api::ReadProgrammeRequest>,
    ) -> Answer<api::ReadProgrammeResponse> {
        Ok(Response::new(
            guest::read_programme::read_programme(&self.app, &r.into_inner()).await?,
        ))
    }

    type WatchAvailabilityStream = guest::watch_availability::Changes;

    async fn watch_availability(
        &self,
        _: Request<api::WatchAvailabilityRequest>,
    ) -> Answer<Self::WatchAvailabilityStream> {
        let changes = guest::watch_availability::watch_availability(&self.app);
        Ok(Response::new(changes))
    }
}

#[tonic::async_trait]
impl hold::HoldService for Rpc {
    async fn hold_tickets(
        &self,
        r: Request<api::HoldTicketsRequest>,
    ) -> Answer<api::HoldTicketsResponse> {
        Ok(Response::new(
            guest::hold_tickets::hold_tickets(&self.app, r.into_inner()).await?,
        ))
    }

    async fn get_hold(&self, r: Request<api::GetHoldRequest>) -> Answer<api::GetHoldResponse> {
        Ok(Response::new(
            guest::get_hold::get_hold(&self.app, &r.into_inner()).await?,
        ))
    }

    async fn release_hold(
        &self,
        r: Request<api::ReleaseHoldRequest>,
    ) -> Answer<api::ReleaseHoldResponse> {
        Ok(Response::new(
            guest::release_hold::release_hold(&self.app, r.into_inner()).await?,
        ))
    }
}

#[tonic::async_trait]
impl hold_batch::HoldBatchService for Rpc {
    async fn hold_tickets_batch(
        &self,
        r: Request<api::HoldTicketsBatchRequest>,
    ) -> Answer<api::HoldTicketsBatchResponse> {
        let hold = internal::hold_tickets_batch::hold_tickets_batch;
        Ok(Response::new(hold(&self.app, r.into_inner()).await?))
    }
}

#[tonic::async_trait]
impl inventory::InventoryService for Rpc {
    async fn begin_payment(
        &self,
        r: Request<api::BeginPaymentRequest>,
    ) -> Answer<api::BeginPaymentResponse> {
        Ok(Response::new(
            internal::begin_payment::begin_payment(&self.app, r.into_inner()).await?,
        ))
    }

    async fn commit_order(
        &self,
        r: Request<api::CommitOrderRequest>,
    ) -> Answer<api::CommitOrderResponse> {
        Ok(Response::new(
            internal::commit_order::commit_order(&self.app, &r.into_inner()).await?,
        ))
    }

    async fn release_order(
        &self,
        r: Request<api::ReleaseOrderRequest>,
    ) -> Answer<api::ReleaseOrderResponse> {
        Ok(Response::new(
            internal::release_order::release_order(&self.app, &r.into_inner()).await?,
        ))
    }

    async fn void_tickets(
        &self,
        r: Request<api::VoidTicketsRequest>,
    ) -> Answer<api::VoidTicketsResponse> {
        Ok(Response::new(
            internal::void_tickets::void_tickets(&self.app, &r.into_inner()).await?,
        ))
    }

    async fn transfer_ticket(
        &self,
        r: Request<api::TransferTicketRequest>,
    ) -> Answer<api::TransferTicketResponse> {
        let transfer = internal::transfer_ticket::transfer_ticket;
        Ok(Response::new(transfer(&self.app, &r.into_inner()).await?))
    }

    async fn erase_holders(
        &self,
        r: Request<api::EraseHoldersRequest>,
    ) -> Answer<api::EraseHoldersResponse> {
        Ok(Response::new(
            internal::erase_holders::erase_holders(&self.app, &r.into_inner()).await?,
        ))
    }

    async fn list_order_tickets(
        &self,
        r: Request<api::ListOrderTicketsRequest>,
    ) -> Answer<api::ListOrderTicketsResponse> {
        let list = internal::list_order_tickets::list_order_tickets;
        Ok(Response::new(list(&self.app, &r.into_inner()).await?))
    }
}

#[tonic::async_trait]
impl catalog_admin::CatalogAdminService for Rpc {
    async fn create_event(
        &self,
        r: Request<api::CreateEventRequest>,
    ) -> Answer<api::CreateEventResponse> {
        Ok(Response::new(
            admin::create_event::create_event(&self.app, r).await?,
        ))
    }

    async fn update_event(
        &self,
        r: Request<api::UpdateEventRequest>,
    ) -> Answer<api::UpdateEventResponse> {
        Ok(Response::new(
            admin::update_event::update_event(&self.app, r).await?,
        ))
    }

    async fn set_event_image(
        &self,
        r: Request<api::SetEventImageRequest>,
    ) -> Answer<api::SetEventImageResponse> {
        Ok(Response::new(
            admin::set_event_image::set_event_image(&self.app, r).await?,
        ))
    }

    async fn cancel_event(
        &self,
        r: Request<api::CancelEventRequest>,
    ) -> Answer<api::CancelEventResponse> {
        Ok(Response::new(
            admin::cancel_event::cancel_event(&self.app, r).await?,
        ))
    }

    async fn list_own_events(
        &self,
        r: Request<api::ListOwnEventsRequest>,
    ) -> Answer<api::ListOwnEventsResponse> {
        Ok(Response::new(
            admin::list_own_events::list_own_events(&self.app, r).await?,
        ))
    }

    async fn get_own_event(
        &self,
        r: Request<api::GetOwnEventRequest>,
    ) -> Answer<api::GetOwnEventResponse> {
        Ok(Response::new(
            admin::get_own_event::get_own_event(&self.app, r).await?,
        ))
    }

    async fn create_ticket_type(
        &self,
        r: Request<api::CreateTicketTypeRequest>,
    ) -> Answer<api::CreateTicketTypeResponse> {
        Ok(Response::new(
            admin::create_ticket_type::create_ticket_type(&self.app, r).await?,
        ))
    }

    async fn update_ticket_type(
        &self,
        r: Request<api::UpdateTicketTypeRequest>,
    ) -> Answer<api::UpdateTicketTypeResponse> {
        Ok(Response::new(
            admin::update_ticket_type::update_ticket_type(&self.app, r).await?,
        ))
    }

    async fn postpone_event(
        &self,
        r: Request<api::PostponeEventRequest>,
    ) -> Answer<api::PostponeEventResponse> {
        Ok(Response::new(
            admin::postpone_event::postpone_event(&self.app, r).await?,
        ))
    }

    async fn archive_event(
        &self,
        r: Request<api::ArchiveEventRequest>,
    ) -> Answer<api::ArchiveEventResponse> {
        Ok(Response::new(
            admin::archive_event::archive_event(&self.app, r).await?,
        ))
    }

    async fn clone_event(
        &self,
        r: Request<api::CloneEventRequest>,
    ) -> Answer<api::CloneEventResponse> {
        Ok(Response::new(
            admin::clone_event::clone_event(&self.app, r).await?,
        ))
    }

    async fn delete_event(
        &self,
        r: Request<api::DeleteEventRequest>,
    ) -> Answer<api::DeleteEventResponse> {
        Ok(Response::new(
            admin::delete_event::delete_event(&self.app, r).await?,
        ))
    }

    async fn delete_ticket_type(
        &self,
        r: Request<api::DeleteTicketTypeRequest>,
    ) -> Answer<api::DeleteTicketTypeResponse> {
        Ok(Response::new(
            admin::delete_ticket_type::delete_ticket_type(&self.app, r).await?,
        ))
    }

    async fn list_pools(
        &self,
        r: Request<api::ListPoolsRequest>,
    ) -> Answer<api::ListPoolsResponse> {
        Ok(Response::new(
            admin::list_pools::list_pools(&self.app, r).await?,
        ))
    }

    async fn create_pool(
        &self,
        r: Request<api::CreatePoolRequest>,
    ) -> Answer<api::CreatePoolResponse> {
        Ok(Response::new(
            admin::create_pool::create_pool(&self.app, r).await?,
        ))
    }

    async fn update_pool(
        &self,
        r: Request<api::UpdatePoolRequest>,
    ) -> Answer<api::UpdatePoolResponse> {
        Ok(Response::new(
            admin::update_pool::update_pool(&self.app, r).await?,
        ))
    }
}

#[tonic::async_trait]
impl change::ChangeService for Rpc {
    async fn list_event_changes(
        &self,
        r: Request<api::ListEventChangesRequest>,
    ) -> Answer<api::ListEventChangesResponse> {
        let list = internal::list_event_changes::list_event_changes;
        Ok(Response::new(list(&self.app, &r.into_inner()).await?))
    }
}

#[tonic::async_trait]
impl pool_audit::PoolAuditService for Rpc {
    async fn list_halted_pools(
        &self,
        _: Request<api::ListHaltedPoolsRequest>,
    ) -> Answer<api::ListHaltedPoolsResponse> {
        Ok(Response::new(
            admin::list_halted_pools::list_halted_pools(&self.app).await?,
        ))
    }

    async fn resume_pool(
        &self,
        r: Request<api::ResumePoolRequest>,
    ) -> Answer<api::ResumePoolResponse> {
        Ok(Response::new(
            admin::resume_pool::resume_pool(&self.app, r).await?,
        ))
    }
}
