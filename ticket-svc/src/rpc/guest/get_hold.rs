//! A hold as it stands. Past its deadline it is expired, whether or not its stock is back already.

use proto::ticket::{GetHoldRequest, GetHoldResponse};

use crate::{
    app::App,
    error::Error,
    rpc::{proof::Proof, view},
};

pub async fn get_hold(app: &App, request: &GetHoldRequest) -> Result<GetHoldResponse, Error> {
    let proof = Proof::new(&app.hold_keys, &request.hold_id, &request.secret)?;
    let hold = app
        .db
        .read(proof, |conn, proof| Box::pin(proof.find(conn)))
        .await?;
    Ok(GetHoldResponse {
        hold: Some(view::hold(&hold)),
    })
}
