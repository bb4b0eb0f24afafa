//! The index of what the service answers about the codes of tickets.

use proto::ticket::{self as api, ticket_code_service_server::TicketCodeService};
use tonic::{Request, Response};

use super::{Answer, Rpc, admin, guest};

#[tonic::async_trait]
impl TicketCodeService for Rpc {
    async fn read_door_list(
        &self,
        r: Request<api::ReadDoorListRequest>,
    ) -> Answer<api::ReadDoorListResponse> {
        Ok(Response::new(
            guest::read_door_list::read_door_list(&self.app, &r.into_inner()).await?,
        ))
    }

    async fn list_ticket_keys(
        &self,
        r: Request<api::ListTicketKeysRequest>,
    ) -> Answer<api::ListTicketKeysResponse> {
        Ok(Response::new(
            admin::list_ticket_keys::list_ticket_keys(&self.app, r).await?,
        ))
    }

    async fn rotate_ticket_keys(
        &self,
        r: Request<api::RotateTicketKeysRequest>,
    ) -> Answer<api::RotateTicketKeysResponse> {
        Ok(Response::new(
            admin::rotate_ticket_keys::rotate_ticket_keys(&self.app, r).await?,
        ))
    }

    async fn verify_ticket(
        &self,
        r: Request<api::VerifyTicketRequest>,
    ) -> Answer<api::VerifyTicketResponse> {
        Ok(Response::new(
            admin::verify_ticket::verify_ticket(&self.app, r).await?,
        ))
    }
}
