//! Which orders an admin may see. What is foreign does not exist for them.

use base::{EventId, OrderId, RefundId, UserId};
use kit::Admin;
use proto::ticket::{CheckGrantRequest, ListGrantsRequest};
use tonic::Request;
use uuid::Uuid;

use crate::{
    app::App,
    error::Error,
    refunds::{self, RefundRow},
    store,
};

/// Who is calling.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller {
    pub id: UserId,
    superadmin: bool,
}

impl Caller {
    pub fn of<T>(request: &Request<T>) -> Result<Self, Error> {
        let Admin { id, superadmin } = kit::admin(request)?;
        Ok(Self { id, superadmin })
    }

    /// As it stands in histories and the audit log.
    pub fn actor(self) -> String {
        self.id.to_string()
    }

    /// The events that a list is limited to; None for a superadmin, who sees all.
    pub async fn events(self, app: &App) -> Result<Option<Vec<Uuid>>, Error> {
        if self.superadmin {
            return Ok(None);
        }
        let request = ListGrantsRequest {
            user_id: self.id.to_string(),
        };
        let granted = app.grants.clone().list_grants(request).await?.into_inner();
        let ids = granted.event_ids.iter().map(|id| id.parse::<EventId>());
        let ids: Result<Vec<Uuid>, _> = ids.map(|id| id.map(EventId::uuid)).collect();
        ids.map(Some)
            .map_err(|_| Error::Broken("ticket-svc answered a grant without an event"))
    }

    /// Fails with NOT_FOUND for an event that is foreign or absent.
    pub async fn may_see_event(self, app: &App, event: EventId) -> Result<(), Error> {
        if self.superadmin || self.is_granted(app, event).await? {
            Ok(())
        } else {
            Err(Error::NotFound("event"))
        }
    }

    /// The order, if the caller may see it. One that has no event yet is a superadmin's to see.
    pub async fn order(self, app: &App, id: &str) -> Result<store::OrderRow, Error> {
        let id: OrderId = id.parse().map_err(|_| Error::OrderNotFound)?;
        let (order, _) = store::load(app, id).await?;
        let granted = match order.event_id {
            _ if self.superadmin => true,
            Some(event) => self.is_granted(app, event.into()).await?,
            None => false,
        };
        if granted {
            Ok(order)
        } else {
            Err(Error::OrderNotFound)
        }
    }

    /// The refund, if the caller may see its order.
    pub async fn refund(self, app: &App, id: &str) -> Result<RefundRow, Error> {
        let absent = || Error::NotFound("refund");
        let id: RefundId = id.parse().map_err(|_| absent())?;
        let find = app
            .db
            .read(id, |conn, id| Box::pin(refunds::find(conn, *id)));
        let refund = find.await?.ok_or_else(absent)?;
        match self.order(app, &refund.order_id.to_string()).await {
            Ok(_) => Ok(refund),
            Err(Error::OrderNotFound) => Err(absent()),
            Err(error) => Err(error),
        }
    }

    async fn is_granted(self, app: &App, event: EventId) -> Result<bool, Error> {
        let request = CheckGrantRequest {
            user_id: self.id.to_string(),
            event_id: event.to_string(),
        };
        let answer = app.grants.clone().check_grant(request).await?;
        Ok(answer.into_inner().granted)
    }
}
