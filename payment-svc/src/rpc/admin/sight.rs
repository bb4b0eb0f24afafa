//! Which orders an admin may see. What is foreign does not exist for them.

use std::sync::Arc;

use audit::{Sees, Sight};
use base::{EventId, OrderId, RefundId, UserId};
use futures::future::BoxFuture;
use kit::{Admin, Failure};
use proto::{
    Grant, common,
    ticket::{CheckGrantRequest, ListGrantsRequest},
};
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
    /// One of these on the event is enough for what they do; the contract says so.
    grants: &'static [Grant],
}

impl Caller {
    pub fn of<T>(request: &Request<T>) -> Result<Self, Error> {
        let Admin { id, superadmin, .. } = kit::admin(request)?;
        let grants = kit::grants(request);
        Ok(Self {
            id,
            superadmin,
            grants,
        })
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
            grants: wire(self.grants),
        };
        let granted = app.grants.clone().list_grants(request).await?.into_inner();
        let ids = granted.event_ids.iter().map(|id| id.parse::<EventId>());
        let ids: Result<Vec<Uuid>, _> = ids.map(|id| id.map(EventId::uuid)).collect();
        ids.map(Some)
            .map_err(|_| Error::Broken("ticket-svc answered a grant without an event"))
    }

    /// Fails with NOT_FOUND for an event that is foreign or absent, and with PERMISSION_DENIED for their own
    /// where their grant is too small.
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
        let answer = app.grants.clone().check_grant(request).await?.into_inner();
        let grant = answer.grant();
        if grant == common::Grant::Unspecified {
            return Ok(false);
        }
        let suffices = |one: &Grant| grant == common::Grant::from(*one);
        if self.grants.iter().any(suffices) {
            Ok(true)
        } else {
            Err(Error::GrantTooSmall)
        }
    }
}

fn wire(grants: &[Grant]) -> Vec<i32> {
    let grants = grants.iter().map(|grant| common::Grant::from(*grant));
    grants.map(i32::from).collect()
}

/// An admin reads the record of the events that they were granted.
pub(crate) struct OwnEvents(pub Arc<App>);

impl Sees for OwnEvents {
    fn sight(
        &self,
        Admin { id, superadmin, .. }: Admin,
        grants: &'static [Grant],
    ) -> BoxFuture<'_, Result<Sight, Failure>> {
        let caller = Caller {
            id,
            superadmin,
            grants,
        };
        Box::pin(async move {
            let events = caller.events(&self.0).await.map_err(Error::failure)?;
            Ok(Sight::Events(events.unwrap_or_default()))
        })
    }
}
