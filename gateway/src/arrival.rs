//! The body of a request comes before the request takes a place among those in work: who sends it byte by
//! byte keeps a connection busy, and nobody from being served.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    body::Body,
    extract::{MatchedPath, Request},
};
use bytes::{Bytes, BytesMut};
use http::{Method, header};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use kit::{Code, ErrorReason, Failure};

use crate::{
    extract::{too_large, unreadable},
    images::UPLOAD_MAX_BYTES,
    problem::Problem,
};

/// Of all bodies that are on their way or in work. What is announced does not count, only what has come: to
/// fill this up takes sending it.
const HELD_MAX_BYTES: usize = 64 * 1024 * 1024;
/// Of webhooks, which are large and come from anybody: they must not keep a guest's order out.
const WEBHOOKS_HELD_MAX_BYTES: usize = 16 * 1024 * 1024;
const WEBHOOKS: &str = "/api/v1/webhooks/";
/// Of pictures, which are larger still.
const UPLOADS_HELD_MAX_BYTES: usize = 32 * 1024 * 1024;
const UPLOADS: &str = "/api/v1/admin/events/{id}/image";

pub struct Arrivals {
    limit_bytes: usize,
    webhook_limit_bytes: usize,
    bodies: Room,
    webhooks: Room,
    uploads: Room,
}

/// The body once more, for who has to look at it before the handler does; an extension of the request.
#[derive(Clone)]
pub struct Arrived(pub Bytes);

/// For bytes that wait for the rest of their body, and for bodies until nobody has them any more.
#[derive(Clone)]
struct Room {
    most_bytes: usize,
    held: Arc<AtomicUsize>,
}

struct Share {
    room: Room,
    bytes: usize,
}

/// A body with its share of the room.
struct Held {
    bytes: BytesMut,
    _share: Share,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Share {
    fn grow(&mut self, bytes: usize) -> Result<(), Problem> {
        let before = self.room.held.fetch_add(bytes, Ordering::Relaxed);
        self.bytes += bytes;
        if before + bytes <= self.room.most_bytes {
            return Ok(());
        }
        let detail = "There is too much to do at the moment. Try again shortly.";
        Err(Failure::refused(Code::Unavailable, ErrorReason::Overloaded, detail).into())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.room.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Arrivals {
    pub fn new(limit_bytes: usize, webhook_limit_bytes: usize) -> Self {
        Self {
            limit_bytes,
            webhook_limit_bytes,
            bodies: Room::of(HELD_MAX_BYTES),
            webhooks: Room::of(WEBHOOKS_HELD_MAX_BYTES),
            uploads: Room::of(UPLOADS_HELD_MAX_BYTES),
        }
    }

    /// The request with its whole body. One that nobody will read is left where it is.
    pub async fn whole(&self, request: Request) -> Result<Request, Problem> {
        let route = request.extensions().get::<MatchedPath>();
        let reads = [Method::GET, Method::HEAD].contains(request.method());
        let Some(route) = route.filter(|_| !reads && !request.body().is_end_stream()) else {
            return Ok(request);
        };
        let (limit, room) = if route.as_str().starts_with(WEBHOOKS) {
            (self.webhook_limit_bytes, &self.webhooks)
        } else if route.as_str() == UPLOADS {
            (UPLOAD_MAX_BYTES, &self.uploads)
        } else {
            (self.limit_bytes, &self.bodies)
        };
        let announced = request.headers().get(header::CONTENT_LENGTH);
        let announced = announced.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        if announced.is_some_and(|length| length > limit) {
            return Err(too_large());
        }
        let (mut head, body) = request.into_parts();
        let body = room.collect(body, limit).await?;
        head.extensions.insert(Arrived(body.clone()));
        Ok(Request::from_parts(head, body.into()))
    }
}

impl Room {
    fn of(most_bytes: usize) -> Self {
        Self {
            most_bytes,
            held: Arc::default(),
        }
    }

    async fn collect(&self, mut body: Body, limit: usize) -> Result<Bytes, Problem> {
        let mut share = Share {
            room: self.clone(),
            bytes: 0,
        };
        let mut bytes = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| unreadable())?;
            // Trailers say nothing to us.
            let Ok(data) = frame.into_data() else {
                continue;
            };
            share.grow(data.len())?;
            if bytes.len() + data.len() > limit {
                return Err(too_large());
            }
            bytes.extend_from_slice(&data);
        }
        let held = Held {
            bytes,
            _share: share,
        };
        Ok(Bytes::from_owner(held))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures::stream;

    use super::*;

    fn body(chunks: Vec<Result<Bytes, &'static str>>) -> Body {
        Body::from_stream(stream::iter(chunks))
    }

    #[tokio::test]
    async fn whole_or_refused_and_counted_until_it_is_dropped() {
        let arrivals = Arrivals::new(10, 20).bodies;
        let chunk = || Ok(Bytes::from_static(b"12345"));
        let whole = arrivals.collect(body(vec![chunk(), chunk()]), 10).await;
        let whole = whole.unwrap();
        assert_eq!(whole, "1234512345");
        // As a handler gets it, and as long as anybody has a part of it.
        let read = axum::body::to_bytes(whole.into(), 10).await.unwrap();
        let part = read.slice(..1);
        drop(read);
        assert_eq!(arrivals.held.load(Ordering::Relaxed), 10);
        drop(part);
        let long = arrivals.collect(body(vec![chunk(), chunk(), chunk()]), 10);
        assert_eq!(long.await.unwrap_err().reason(), ErrorReason::BodyTooLarge);
        let broken = arrivals.collect(body(vec![chunk(), Err("gone")]), 10);
        assert_eq!(
            broken.await.unwrap_err().reason(),
            ErrorReason::MalformedBody
        );
        assert_eq!(arrivals.held.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn when_too_much_is_held_one_more_is_refused() {
        let arrivals = Arrivals::new(10, 20).bodies;
        let full = arrivals.most_bytes - 4;
        arrivals.held.store(full, Ordering::Relaxed);
        let one = body(vec![Ok(Bytes::from_static(b"12345"))]);
        let refused = arrivals.collect(one, 10).await.unwrap_err();
        assert_eq!(refused.reason(), ErrorReason::Overloaded);
        assert_eq!(arrivals.held.load(Ordering::Relaxed), full);
    }
}
