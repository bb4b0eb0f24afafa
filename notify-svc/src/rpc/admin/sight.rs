//! Which notifications an admin may see. What is foreign does not exist for them.

use std::sync::Arc;

use audit::{Sees, Sight};
use base::{EventId, NotificationId, UserId};
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
    store::{self, Row},
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

    /// The events that a list is limited to; None for a superadmin, who sees all. NOT_FOUND for an event
    /// that is foreign or absent, PERMISSION_DENIED for their own where their grant is too small.
    pub async fn events(
        self,
        app: &App,
        wanted: Option<EventId>,
    ) -> Result<Option<Vec<Uuid>>, Error> {
        match wanted {
            Some(event) if self.superadmin || self.is_granted(app, event).await? => {
                Ok(Some(vec![event.uuid()]))
            }
            Some(_) => Err(Error::NotFound("event")),
            None if self.superadmin => Ok(None),
            None => self.granted(app).await.map(Some),
        }
    }

    /// The notification, if the caller may see it. One that is about no event is a superadmin's to see.
    pub async fn notification(self, app: &App, id: &str) -> Result<Row, Error> {
        let absent = || Error::NotFound("notification");
        let id: NotificationId = id.parse().map_err(|_| absent())?;
        let find = app
            .db
            .read(id, |conn, id| Box::pin(store::find(conn, id.uuid())));
        let row = find.await?.ok_or_else(absent)?;
        let granted = match row.event_id {
            _ if self.superadmin => true,
            Some(event) => self.is_granted(app, event.into()).await?,
            None => false,
        };
        if granted { Ok(row) } else { Err(absent()) }
    }

    async fn granted(self, app: &App) -> Result<Vec<Uuid>, Error> {
        let request = ListGrantsRequest {
            user_id: self.id.to_string(),
            grants: wire(self.grants),
        };
        let granted = app.grants.clone().list_grants(request).await?.into_inner();
        let ids = granted.event_ids.iter().map(|id| id.parse::<EventId>());
        let ids: Result<Vec<Uuid>, _> = ids.map(|id| id.map(EventId::uuid)).collect();
        ids.map_err(|_| Error::Broken("ticket-svc answered a grant without an event"))
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
            let events = caller.granted(&self.0).await.map_err(Error::failure)?;
            Ok(Sight::Events(events))
        })
    }
}
