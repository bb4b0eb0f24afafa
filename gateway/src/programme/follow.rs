//! Follows what is left of every event, by one stream from whichever replica answers. It may end at
//! any time: the next one begins with everything.

use std::time::Duration;

use kit::Failure;
use proto::ticket::{EventAvailability, WatchAvailabilityRequest, WatchAvailabilityResponse};
use tokio::time::Instant;
use tonic::Streaming;

use crate::{app::Shared, rest::types::time_of, retries};

/// The stream says something each second; one that does not is given up.
const SILENCE_MAX: Duration = Duration::from_secs(3);
/// Before the next stream, so that a service in trouble is not asked without a pause.
const PAUSE: Duration = Duration::from_millis(100);

pub async fn follow(app: Shared) {
    loop {
        let request = WatchAvailabilityRequest {};
        let mut catalog = app.upstreams.catalog();
        let stream = retries::within(false, catalog.watch_availability(request)).await;
        let ended = match stream {
            Ok(stream) => listen(&app, stream.into_inner()).await,
            Err(status) => Err(Failure::from_status(&status)),
        };
        if let Err(failure) = ended {
            let reason = failure.reason.word();
            tracing::debug!(reason, "what is left of events is not told");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// To the end of the stream.
async fn listen(
    app: &Shared,
    mut stream: Streaming<WatchAvailabilityResponse>,
) -> Result<(), Failure> {
    let mut first = true;
    let mut gathered: Vec<EventAvailability> = Vec::new();
    loop {
        let message = tokio::time::timeout(SILENCE_MAX, stream.message()).await;
        let message = message.map_err(|_elapsed| Failure::outcome_unknown())?;
        let message = message.map_err(|status| Failure::from_status(&status))?;
        let Some(message) = message else {
            return Ok(());
        };
        gathered.extend(message.events);
        // Without a time there is more to come.
        if message.as_of.is_none() {
            continue;
        }
        let as_of = time_of(message.as_of.as_ref(), "as_of")?;
        let told = std::mem::take(&mut gathered);
        app.programme.write(|book| book.tell(first, told, as_of));
        app.programme.counts_are_right(Instant::now());
        first = false;
    }
}
