//! Which notifications an admin may see. What is foreign does not exist for them.

use base::{EventId, NotificationId, UserId};
use kit::Admin;
use proto::ticket::{CheckGrantRequest, ListGrantsRequest};
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
}

impl Caller {
    pub fn of<T>(request: &Request<T>) -> Result<Self, Error> {
        let Admin { id, superadmin } = kit::admin(request)?;
        Ok(Self { id, superadmin })
    }

    /// The events that a list is limited to; None for a superadmin, who sees all. NOT_FOUND for an event
    /// that is foreign or absent.
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
        let answer = app.grants.clone().check_grant(request).await?;
        Ok(answer.into_inner().granted)
    }
}
