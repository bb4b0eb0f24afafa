//! Failed calls of which it is certain that nothing has left.

use std::{error::Error, io, iter::successors};

use http::Response;
use proto::common::{Certainty, ErrorReason};
use tonic::{ConnectError, Status};

use crate::{Code, Failure};

/// The connection closed before it took the call.
pub(super) fn never_left_here(error: &(dyn Error + 'static)) -> bool {
    // The client of HTTP/2 says "cancelled" in this case only.
    chain(error).any(|e| e.downcast_ref().is_some_and(hyper::Error::is_canceled))
}

/// No connection came about.
pub(super) fn not_reached(error: &(dyn Error + 'static)) -> bool {
    let refused = |e: &io::Error| e.kind() == io::ErrorKind::ConnectionRefused;
    chain(error).any(|e| e.is::<ConnectError>() || e.downcast_ref().is_some_and(refused))
}

/// Nothing has left: the connection closed before, or there was none.
pub(crate) fn never_left(error: &(dyn Error + 'static)) -> bool {
    never_left_here(error) || not_reached(error)
}

/// A call that may work on the next try and did nothing on this one. Overload is not meant: more
/// calls are the last thing it needs.
pub fn surely_not_done<B>(answer: &Result<Response<B>, Box<dyn Error + Send + Sync>>) -> bool {
    match answer {
        Err(error) => never_left(error.as_ref()),
        Ok(answer) => Status::from_header_map(answer.headers()).is_some_and(|status| {
            let failure = Failure::from_status(&status);
            status.code() == Code::Unavailable
                && failure.reason == ErrorReason::Unavailable
                && failure.certainty == Certainty::NotDone
        }),
    }
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    successors(Some(error), |&error| error.source())
}
