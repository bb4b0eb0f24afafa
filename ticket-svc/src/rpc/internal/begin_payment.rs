//! Binds a hold to the order that pays for it: active → paying. From then on the order has time
//! until `paying_until`; afterwards the stock is freed without a further word. What one guest may have
//! over all their orders is decided here, where it is known who the guest is.

use base::{HoldId, Money, OrderId};
use proto::ticket::{BeginPaymentRequest, BeginPaymentResponse};
use sqlx::PgConnection;

use crate::{
    app::App,
    domain::{
        event_status::EventStatus,
        hold_state::{HoldState, HoldStep},
        provider::{self, Provider},
    },
    error::Error,
    rpc::{fields::Fields, proof::Proof, view},
    store::{
        catalog::{self, Event},
        guests,
        holds::{self, Hold},
        orders::{self, Answer},
    },
};

/// After the guest was told that time is up, the provider's answer may still be on its way.
const GRACE_SECS: f64 = 300.0;
const DAY_SECS: u32 = 86_400;
const GUEST_KEY_BYTES: usize = 32;

#[derive(Debug)]
struct Begin {
    order_id: OrderId,
    hold_id: HoldId,
    proof: Proof,
    expected_total: Money,
    /// The preferred one first.
    providers: Vec<Provider>,
    guest_key: Vec<u8>,
    card_secs: u32,
    manual_secs: u32,
}

enum Bound {
    Paying(Box<(Hold, Event)>),
    /// Its stock is free again.
    EventCancelled,
}

pub async fn begin_payment(
    app: &App,
    request: BeginPaymentRequest,
) -> Result<BeginPaymentResponse, Error> {
    let begin = read(app, request)?;
    let bound = app
        .db
        .run(begin, |conn, begin| Box::pin(bind(conn, begin)))
        .await?;
    let Bound::Paying(paying) = bound else {
        return Err(Error::EventNotActive);
    };
    let (hold, event) = *paying;
    kit::failpoint!("ticket.payment_begun");
    Ok(BeginPaymentResponse {
        event: Some(view::event_facts(&event)),
        lines: view::hold_lines(&hold),
        total: Some(proto::money(hold.total)),
        pay_by: hold.pay_by.map(proto::timestamp),
        paying_until: hold.paying_until.map(proto::timestamp),
        provider_kind: hold.provider_kind.unwrap_or_default(),
        event_provider_kinds: event.payment_providers.clone(),
        seller: view::seller(&event),
        cancellation: view::cancellation(&event),
    })
}

fn read(app: &App, request: BeginPaymentRequest) -> Result<Begin, Error> {
    let mut fields = Fields::default();
    let order_id = fields.parse("order_id", &request.order_id);
    let total = proto::money_from(request.expected_total.as_ref());
    let expected_total = fields.check("expected_total", total);
    let providers = offered(&mut fields, &request);
    if request.guest_key.len() != GUEST_KEY_BYTES {
        fields.refuse("guest_key", format!("must be {GUEST_KEY_BYTES} bytes"));
    }
    let (Some(order_id), Some(expected_total)) = (order_id, expected_total) else {
        return Err(fields.into_error());
    };
    fields.done()?;
    let proof = Proof::new(&app.hold_keys, &request.hold_id, &request.secret)?;
    Ok(Begin {
        order_id,
        hold_id: proof.hold_id,
        proof,
        expected_total,
        providers,
        guest_key: request.guest_key,
        card_secs: app.card_payment_secs,
        manual_secs: app.manual_payment_secs,
    })
}

/// What the guest may pay with; an older caller names a single one.
fn offered(fields: &mut Fields, request: &BeginPaymentRequest) -> Vec<Provider> {
    let (field, words) = match request.provider_kinds.as_slice() {
        [] => (
            "provider_kind",
            std::slice::from_ref(&request.provider_kind),
        ),
        several => ("provider_kinds", several),
    };
    let known: Option<Vec<_>> = words.iter().map(|word| Provider::from_word(word)).collect();
    if known.is_none() {
        fields.refuse(field, "must be sandbox, stripe or manual");
    }
    known.unwrap_or_default()
}

async fn bind(conn: &mut PgConnection, begin: &Begin) -> Result<Bound, Error> {
    let order = orders::lock(conn, begin.order_id).await?;
    if order.released || matches!(order.answer, Some(Answer::Refused { .. })) {
        return Err(Error::OrderNotOpen);
    }
    let hold = holds::lock(conn, begin.hold_id).await?;
    let bound = hold
        .as_ref()
        .is_some_and(|hold| hold.order_id == Some(begin.order_id));
    let hold = match hold {
        Some(hold) if bound => hold,
        hold => begin.proof.open(hold)?,
    };
    let event = catalog::event(conn, hold.event_id)
        .await?
        .ok_or(Error::NotFound("event"))?;
    if event.status() == EventStatus::Cancelled && hold.state != HoldState::Committed {
        free(conn, &hold).await?;
        return Ok(Bound::EventCancelled);
    }
    match (hold.seen(), bound) {
        (HoldState::Paying | HoldState::Committed, true) => same_total(&hold, begin)?,
        (HoldState::Paying | HoldState::Committed, false) => return Err(Error::PaymentInProgress),
        (HoldState::Released | HoldState::Expired, _) => return Err(Error::HoldExpired),
        (HoldState::Active, _) => {
            if event.status() != EventStatus::Active {
                return Err(Error::EventNotActive);
            }
            same_total(&hold, begin)?;
            start(conn, &hold, &event, begin).await?;
        }
    }
    let hold = holds::find(conn, hold.id)
        .await?
        .ok_or(Error::Fault("a locked hold is gone"))?;
    Ok(Bound::Paying(Box::new((hold, event))))
}

/// Nothing of a cancelled event is sold any more, so nobody need wait for the deadline.
async fn free(conn: &mut PgConnection, hold: &Hold) -> Result<(), Error> {
    let mut steps = [HoldStep::GuestRelease, HoldStep::OrderRelease].into_iter();
    match steps.find_map(|step| hold.state.after(step)) {
        Some(released) => holds::end(conn, hold, released).await,
        None => Ok(()),
    }
}

/// No surprise charge: what the guest saw is what is charged.
fn same_total(hold: &Hold, begin: &Begin) -> Result<(), Error> {
    if hold.total == begin.expected_total {
        return Ok(());
    }
    Err(Error::TotalChanged { total: hold.total })
}

/// The guard decides by the clock of this moment; what it does not let through is the sweeper's.
async fn start(
    conn: &mut PgConnection,
    hold: &Hold,
    event: &Event,
    begin: &Begin,
) -> Result<(), Error> {
    let provider = provider::choose(&begin.providers, &event.payment_providers())
        .ok_or(Error::ProviderNotEnabled)?;
    let payment_secs = match (provider, event.manual_payment_days) {
        (Provider::Sandbox | Provider::Stripe, _) => begin.card_secs,
        (Provider::Manual, 0) => begin.manual_secs,
        (Provider::Manual, days) => days.cast_unsigned() * DAY_SECS,
    };
    let paying = hold
        .state
        .after(HoldStep::BeginPayment)
        .ok_or(Error::HoldExpired)?;
    let bound = sqlx::query!(
        r#"
        UPDATE holds
        SET status = $2, order_id = $3, provider_kind = $4, guest_key = $5,
            pay_by = clock_timestamp() + make_interval(secs => $6),
            paying_until = clock_timestamp() + make_interval(secs => $6 + $7)
        -- By its key: '' keeps the index of what runs out from it (decision 0039).
        WHERE id = $1 AND status || '' = 'active' AND expires_at > clock_timestamp()
        "#,
        hold.id.uuid(),
        paying.word(),
        begin.order_id.uuid(),
        provider.word(),
        begin.guest_key,
        f64::from(payment_secs),
        GRACE_SECS,
    )
    .execute(&mut *conn)
    .await?;
    if bound.rows_affected() != 1 {
        return Err(Error::HoldExpired);
    }
    guests::count(conn, hold).await
}
