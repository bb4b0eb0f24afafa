use axum::{extract::State, response::Response};
use http::StatusCode;
use kit::ErrorReason;
use proto::ticket::{HoldTicketsLine, HoldTicketsRequest};

use super::{
    event::{QUANTITY_PREFIX, again},
    page::{see_other, with_cookie},
    reader::Reader,
    table::Says as _,
    words,
};
use crate::{
    app::Shared,
    cookies::{self, Kind},
    extract::{Asker, Form, Path},
    problem::{self, Problem},
    rest::{self, types::broken},
};

/// `POST /events/{slug}`: sets the chosen tickets aside and leads to the checkout.
pub async fn choose(
    State(app): State<Shared>,
    asker: Asker,
    Reader { language, .. }: Reader,
    Path(slug): Path<String>,
    form: Form,
) -> Result<Response, Problem> {
    let lines = lines(&form);
    if lines.is_empty() {
        let notice = language.say("event.choose_one").to_owned();
        let notice = (StatusCode::UNPROCESSABLE_ENTITY, notice);
        return again(&app, language, slug, (&form, notice)).await;
    }
    let request = HoldTicketsRequest {
        event_id: form.text("event_id").to_owned(),
        lines,
        idempotency_key: form.text("key").to_owned(),
    };
    let made = match rest::set_aside(&app, asker, request).await {
        Ok(made) => made,
        Err(problem) => {
            if !can_choose_again(problem.reason()) {
                return Err(problem);
            }
            let notice = (
                problem::status(problem.reason()),
                words::refusal(language, &problem),
            );
            return again(&app, language, slug, (&form, notice)).await;
        }
    };
    let id = made.hold.ok_or_else(|| broken("hold"))?.id;
    let cookie = cookies::set(&app.public_url, Kind::Hold, &id, &made.secret);
    Ok(with_cookie(see_other(&format!("/checkout/{id}"))?, cookie))
}

/// The lines with at least one ticket; what is no number goes to the service as too many.
fn lines(form: &Form) -> Vec<HoldTicketsLine> {
    let mut lines: Vec<HoldTicketsLine> = form
        .fields()
        .filter_map(|(name, quantity)| {
            let ticket_type_id = name.strip_prefix(QUANTITY_PREFIX)?.to_owned();
            let quantity = quantity.trim();
            let quantity = if quantity.is_empty() {
                0
            } else {
                quantity.parse().unwrap_or(u32::MAX)
            };
            (quantity > 0).then_some(HoldTicketsLine {
                ticket_type_id,
                quantity,
            })
        })
        .collect();
    // A form has no order here, and a repeat must be the same request.
    lines.sort_by(|a, b| a.ticket_type_id.cmp(&b.ticket_type_id));
    lines
}

fn can_choose_again(reason: ErrorReason) -> bool {
    use ErrorReason as R;
    matches!(
        reason,
        R::SoldOut
            | R::HeldByOthers
            | R::SalesNotStarted
            | R::SalesEnded
            | R::SalesHalted
            | R::LimitExceeded
            | R::TooManyRequests
            | R::InvalidRequest
            | R::IdempotencyKeyReused
    )
}
