//! Gives the stock of a hold back at once. Repeating it changes nothing. A hold that is bound to an
//! order stays: its order is cancelled instead.

use proto::ticket::{ReleaseHoldRequest, ReleaseHoldResponse};
use sqlx::PgConnection;

use crate::{
    app::App,
    domain::hold_state::{HoldState, HoldStep},
    error::Error,
    rpc::{proof::Proof, view},
    store::holds::{self, Hold},
};

pub async fn release_hold(
    app: &App,
    request: ReleaseHoldRequest,
) -> Result<ReleaseHoldResponse, Error> {
    let proof = Proof::new(&app.hold_keys, &request.hold_id, &request.secret)?;
    let hold = app
        .db
        .run(proof, |conn, proof| Box::pin(release(conn, proof)))
        .await?;
    Ok(ReleaseHoldResponse {
        hold: Some(view::hold(&hold)),
    })
}

async fn release(conn: &mut PgConnection, proof: &Proof) -> Result<Hold, Error> {
    let mut hold = proof.open(holds::lock(conn, proof.hold_id).await?)?;
    match hold.seen() {
        HoldState::Paying | HoldState::Committed => Err(Error::PaymentInProgress),
        // The stock of one that is past its deadline is the sweeper's.
        HoldState::Released | HoldState::Expired => Ok(hold),
        HoldState::Active => {
            if let Some(state) = hold.state.after(HoldStep::GuestRelease) {
                holds::end(conn, &hold, state).await?;
                hold.state = state;
            }
            Ok(hold)
        }
    }
}
