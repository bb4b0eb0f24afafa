//! The books of orders and events: every entry adds up to zero, and a guest is owed nothing exactly
//! when each cent has ended.

use std::collections::BTreeMap;

use payment_svc::MIGRATOR;
use proptest::{prelude::*, strategy::ValueTree as _, test_runner::TestRunner};
use proto::payment::{GetEventAccountsRequest, InspectOrderRequest};
use sqlx::PgPool;
use testkit::TestDb;
use tonic::Code;
use uuid::Uuid;

use crate::{
    desk::{Clerk, Desk},
    seed::{self, Order},
};

/// Two tickets at 45.00 with a fee of 2.00 each, 7 % tax inside: 90.00, of it 5.89 tax, 4.00 fee with
/// 0.26 tax.
const TWO_TICKETS: seed::Line = (2, 4500, 200, 70_000);

type Balances = BTreeMap<String, i64>;

async fn database() -> (TestDb, PgPool) {
    let db = testkit::database("payments", &MIGRATOR).await;
    let pool = db.pool().await;
    (db, pool)
}

/// What is on each account, which add up to zero; even ones are left out.
async fn balances(pool: &PgPool, order: Uuid) -> Balances {
    let rows: Vec<(String, String, i64)> = sqlx::query_as(
        "SELECT account, currency, sum(amount_minor)::bigint FROM account_entries
         WHERE order_id = $1 GROUP BY 1, 2",
    )
    .bind(order)
    .fetch_all(pool)
    .await
    .unwrap();
    let rows = rows.into_iter().filter(|(_, _, balance)| *balance != 0);
    rows.map(|(account, currency, balance)| match currency.as_str() {
        "EUR" => (account, balance),
        _ => (format!("{account} {currency}"), balance),
    })
    .collect()
}

/// Entries that do not add up, of all orders, and figures that are not those of the orders.
async fn uneven(pool: &PgPool) -> i64 {
    sqlx::query_scalar(
        "SELECT (SELECT count(*) FROM (SELECT FROM account_entries GROUP BY entry, source_id, currency
                                       HAVING sum(amount_minor) <> 0) uneven)
              + (SELECT count(*) FROM sale_drift)",
    )
    .fetch_one(pool)
    .await
    .unwrap()
}

fn books(expected: &[(&str, i64)]) -> Balances {
    let named = expected.iter();
    named
        .map(|(account, balance)| ((*account).to_owned(), *balance))
        .collect()
}

const SOLD: [(&str, i64); 4] = [
    ("provider:sandbox", 9000),
    ("fees", -374),
    ("sales", -8037),
    ("tax", -589),
];

#[tokio::test]
async fn a_sale_is_split_and_a_refund_takes_back_what_it_was_made_of() {
    let (_db, pool) = database().await;
    let order = seed::order(&pool, Uuid::new_v4(), &[TWO_TICKETS]).await;
    assert_eq!(balances(&pool, order.id).await, books(&[]));
    let payment = seed::capture(&pool, &order, 9000, "EUR").await;
    let held = books(&[("provider:sandbox", 9000), ("guest", -9000)]);
    assert_eq!(balances(&pool, order.id).await, held);
    seed::step(&pool, &order, "paid").await;
    seed::step(&pool, &order, "fulfilled").await;
    assert_eq!(balances(&pool, order.id).await, books(&SOLD));

    let one = seed::refund_units(&pool, &order, payment, (0, 1))
        .await
        .unwrap();
    let promised = books(&[
        ("provider:sandbox", 9000),
        ("refunds_payable", -4500),
        ("fees", -187),
        ("sales", -4018),
        ("tax", -295),
    ]);
    assert_eq!(balances(&pool, order.id).await, promised);
    seed::end_refund(&pool, one, "failed_final").await;
    assert_eq!(
        balances(&pool, order.id).await,
        books(&SOLD),
        "it never left"
    );
    seed::end_refund(&pool, one, "succeeded").await;
    let mut paid_out = promised;
    paid_out.remove("refunds_payable");
    paid_out.insert("provider:sandbox".to_owned(), 4500);
    assert_eq!(balances(&pool, order.id).await, paid_out);
    let rest = seed::refund(&pool, &order, payment, 4500, ("requested", "all")).await;
    seed::end_refund(&pool, rest.unwrap(), "succeeded").await;
    assert_eq!(balances(&pool, order.id).await, books(&[]));
    assert_eq!(uneven(&pool).await, 0);
}

#[tokio::test]
async fn money_without_tickets_and_goodwill_have_their_accounts() {
    let (_db, pool) = database().await;
    let event = Uuid::new_v4();
    // Goodwill, then everything that is left: what was sold is taken back whole.
    let (order, payment) = seed::sold(&pool, event, &[TWO_TICKETS]).await;
    seed::refund(&pool, &order, payment, 1000, ("requested", "none"))
        .await
        .unwrap();
    let kind = balances(&pool, order.id).await;
    assert_eq!((kind["goodwill"], kind["sales"]), (1000, -8037));
    seed::refund(&pool, &order, payment, 8000, ("event_cancelled", "all"))
        .await
        .unwrap();
    let expected = books(&[("provider:sandbox", 9000), ("refunds_payable", -9000)]);
    assert_eq!(balances(&pool, order.id).await, expected);

    // A second payment is the guest's until it goes back.
    let (order, _) = seed::sold(&pool, event, &[TWO_TICKETS]).await;
    let second = seed::capture(&pool, &order, 9000, "EUR").await;
    assert_eq!(balances(&pool, order.id).await["guest"], -9000);
    let back = seed::refund(&pool, &order, second, 9000, ("second_payment", "none")).await;
    seed::end_refund(&pool, back.unwrap(), "succeeded").await;
    assert_eq!(balances(&pool, order.id).await, books(&SOLD));

    // Paid too much: the difference goes back at once, or with everything else.
    for reason in ["overpaid", "requested"] {
        let order = seed::order(&pool, event, &[TWO_TICKETS]).await;
        let payment = seed::capture(&pool, &order, 9500, "EUR").await;
        seed::step(&pool, &order, "paid").await;
        seed::step(&pool, &order, "fulfilled").await;
        assert_eq!(balances(&pool, order.id).await["guest"], -500);
        if reason == "overpaid" {
            seed::refund(&pool, &order, payment, 500, (reason, "none"))
                .await
                .unwrap();
            assert!(!balances(&pool, order.id).await.contains_key("guest"));
        } else {
            seed::refund(&pool, &order, payment, 9500, (reason, "all"))
                .await
                .unwrap();
            let expected = books(&[("provider:sandbox", 9500), ("refunds_payable", -9500)]);
            assert_eq!(balances(&pool, order.id).await, expected);
        }
    }

    assert_eq!(uneven(&pool).await, 0);
}

#[tokio::test]
async fn accepted_differences_and_free_orders_have_their_accounts() {
    let (_db, pool) = database().await;
    let event = Uuid::new_v4();
    // A person sold for less, or for other money, than was asked for.
    for (amount, currency) in [(8000, "EUR"), (9000, "USD")] {
        let order = seed::order(&pool, event, &[TWO_TICKETS]).await;
        seed::step(&pool, &order, "mismatch").await;
        seed::capture(&pool, &order, amount, currency).await;
        let guest = if currency == "EUR" {
            "guest"
        } else {
            "guest USD"
        };
        assert_eq!(balances(&pool, order.id).await[guest], -amount);
        seed::step(&pool, &order, "paid").await;
        seed::step(&pool, &order, "fulfilled").await;
        let sold = balances(&pool, order.id).await;
        assert!(
            !sold.keys().any(|account| account.starts_with("guest")),
            "{sold:?}"
        );
        let lost = if currency == "EUR" { 1000 } else { 9000 };
        assert_eq!(sold["differences"], lost, "{sold:?}");
    }

    // Nothing was paid for what costs nothing.
    let free = seed::order(&pool, event, &[(2, 0, 0, 70_000)]).await;
    seed::step(&pool, &free, "fulfilled").await;
    assert_eq!(balances(&pool, free.id).await, books(&[]));
    assert_eq!(uneven(&pool).await, 0);
}

/// What may happen to an order and its money.
#[derive(Clone, Copy, Debug)]
enum Event {
    Capture(i64),
    Sell,
    /// Of a line so many units, an amount, or all that is left.
    GiveBack(usize, i64),
    Goodwill(i64),
    Everything,
    /// What never became tickets.
    SendBack(usize),
    PayOut(usize),
    FailForGood(usize),
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        2 => (1_i64..20_000).prop_map(Event::Capture),
        2 => Just(Event::Sell),
        3 => (0_usize..2, 1_i64..3).prop_map(|(line, units)| Event::GiveBack(line, units)),
        1 => (1_i64..3_000).prop_map(Event::Goodwill),
        1 => Just(Event::Everything),
        2 => (0_usize..3).prop_map(Event::SendBack),
        3 => (0_usize..6).prop_map(Event::PayOut),
        1 => (0_usize..6).prop_map(Event::FailForGood),
    ]
}

/// An order to which things happen, and what a person would write down about it.
struct Life {
    order: Order,
    payments: Vec<Uuid>,
    refunds: Vec<Uuid>,
    sold: bool,
}

impl Life {
    async fn of(pool: &PgPool, event: Uuid, lines: &[seed::Line], events: &[Event]) -> Self {
        let order = seed::order(pool, event, lines).await;
        let (payments, refunds) = (Vec::new(), Vec::new());
        let mut life = Self {
            order,
            payments,
            refunds,
            sold: false,
        };
        // The money for the tickets is the first to come.
        let first = [Event::Capture(life.order.total)];
        for event in first.iter().chain(events) {
            life.live(pool, *event).await;
        }
        life
    }

    async fn live(&mut self, pool: &PgPool, event: Event) {
        let order = &self.order;
        let paying = self.payments.first().copied().unwrap_or_default();
        match event {
            Event::Capture(amount) => self
                .payments
                .push(seed::capture(pool, order, amount, "EUR").await),
            Event::Sell if !self.sold && self.refunds.is_empty() => {
                seed::step(pool, order, "paid").await;
                seed::step(pool, order, "fulfilled").await;
                self.sold = true;
            }
            Event::GiveBack(line, units) if self.sold => {
                let line = line.min(order.lines.len() - 1);
                self.refunds
                    .extend(seed::refund_units(pool, order, paying, (line, units)).await);
            }
            Event::Goodwill(amount) if self.sold => {
                let how = ("requested", "none");
                self.refunds
                    .extend(seed::refund(pool, order, paying, amount, how).await);
            }
            Event::Everything if self.sold => {
                let left = left(pool, paying).await;
                let how = ("requested", "all");
                self.refunds
                    .extend(seed::refund(pool, order, paying, left, how).await);
            }
            Event::SendBack(number) => {
                let Some(payment) = self.payments.get(number).copied() else {
                    return;
                };
                if self.sold && number == 0 {
                    return;
                }
                let reason = if number == 0 {
                    "unfulfillable"
                } else {
                    "second_payment"
                };
                let (left, how) = (left(pool, payment).await, (reason, "none"));
                self.refunds
                    .extend(seed::refund(pool, order, payment, left, how).await);
            }
            Event::PayOut(number) => self.end(pool, number, "succeeded").await,
            Event::FailForGood(number) => self.end(pool, number, "failed_final").await,
            _ => {}
        }
    }

    async fn end(&self, pool: &PgPool, number: usize, status: &str) {
        if let Some(refund) = self.refunds.get(number) {
            seed::end_refund(pool, *refund, status).await;
        }
    }
}

async fn left(pool: &PgPool, payment: Uuid) -> i64 {
    sqlx::query_scalar("SELECT captured_minor - refunded_minor FROM payment_attempts WHERE id = $1")
        .bind(payment)
        .fetch_one(pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn whatever_happens_the_books_add_up() {
    let (_db, pool) = database().await;
    let event = Uuid::new_v4();
    let mut runner = TestRunner::deterministic();
    let line = (
        1_i32..5,
        200_i64..5_000,
        0_i64..200,
        prop::sample::select(vec![0, 70_000, 190_000]),
    );
    let any_life = (
        prop::collection::vec(line, 1..3),
        prop::collection::vec(any_event(), 0..14),
    );
    for _ in 0..150 {
        let (lines, events) = any_life.new_tree(&mut runner).unwrap().current();
        let life = Life::of(&pool, event, &lines, &events).await;
        let books = balances(&pool, life.order.id).await;
        let told = format!("{lines:?} {events:?}: {books:?}");
        let on = |account: &str| books.get(account).copied().unwrap_or_default();
        assert_eq!(books.values().sum::<i64>(), 0, "{told}");

        // The same from the rows of payments and refunds.
        let (captured, counted, paid_out, taken_back): (i64, i64, i64, bool) = sqlx::query_as(
            "SELECT (SELECT sum(captured_minor) FROM payment_attempts WHERE order_id = $1)::bigint,
                    coalesce(sum(amount_minor) FILTER (WHERE status <> 'failed_final'), 0)::bigint,
                    coalesce(sum(amount_minor) FILTER (WHERE status = 'succeeded'), 0)::bigint,
                    coalesce(bool_or(voids = 'all' AND status <> 'failed_final'), false)
             FROM refunds WHERE order_id = $1",
        )
        .bind(life.order.id)
        .fetch_one(&pool)
        .await
        .unwrap();
        assert_eq!(on("provider:sandbox"), captured - paid_out, "{told}");
        assert_eq!(on("refunds_payable"), paid_out - counted, "{told}");
        let revenue = -(on("sales") + on("tax") + on("fees"));
        let most = if life.sold && !taken_back {
            life.order.total
        } else {
            0
        };
        assert!((0..=most).contains(&revenue), "{told}");
        for part in ["sales", "tax", "fees"] {
            assert!(on(part) <= 0, "{told}");
        }
        // All that came is sold or goes back, or else the guest is owed it.
        let mut owed = 0;
        for (number, payment) in life.payments.iter().enumerate() {
            let left = left(&pool, *payment).await;
            owed += if number == 0 && life.sold { 0 } else { left };
        }
        assert_eq!(on("guest"), -owed, "{told}");
    }
    assert_eq!(uneven(&pool).await, 0);
    let everything: i64 = sqlx::query_scalar(
        "SELECT sum(amount_minor)::bigint FROM account_entries WHERE event_id = $1",
    )
    .bind(event)
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(everything, 0);
}

#[tokio::test]
async fn an_event_s_accounts_are_the_sum_of_its_orders() {
    let desk = Desk::open().await;
    let (event, other) = (Uuid::new_v4(), Uuid::new_v4());
    for _ in 0..3 {
        seed::sold(&desk.pool, event, &[TWO_TICKETS]).await;
    }
    seed::sold(&desk.pool, other, &[TWO_TICKETS]).await;
    let request = || GetEventAccountsRequest {
        event_id: event.to_string(),
    };
    let mut refunds = desk.refunds.clone();
    let answer = refunds
        .get_event_accounts(desk.clerk_of(&[event]).asks(request()))
        .await
        .unwrap();
    let balances = answer.into_inner().balances.into_iter().map(|balance| {
        let money = balance.balance.unwrap();
        assert_eq!(money.currency, "EUR");
        (balance.account, money.amount_minor)
    });
    let mut expected: Balances = SOLD.map(|(account, n)| (account.to_owned(), 3 * n)).into();
    expected.insert("guest".to_owned(), 0);
    assert_eq!(balances.collect::<Balances>(), expected);

    let foreign = desk.clerk_of(&[other]).asks(request());
    let refused = refunds.get_event_accounts(foreign).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
}

#[tokio::test]
async fn an_order_tells_its_whole_story() {
    let desk = Desk::open().await;
    let event = Uuid::new_v4();
    let (order, payment) = seed::sold(&desk.pool, event, &[TWO_TICKETS]).await;
    let back = seed::refund(&desk.pool, &order, payment, 9000, ("requested", "all"))
        .await
        .unwrap();
    seed::end_refund(&desk.pool, back, "succeeded").await;
    seed::step(&desk.pool, &order, "refunded").await;
    told_by_provider(&desk.pool, payment).await;
    let request = || InspectOrderRequest {
        order_id: order.id.to_string(),
    };
    let mut orders = desk.orders.clone();
    let clerk = desk.clerk_of(&[event]);
    let story = orders
        .inspect_order(clerk.asks(request()))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(story.order.unwrap().id, order.id.to_string());
    assert_eq!(story.attempts[0].id, payment.to_string());
    assert_eq!(
        story.attempts[0].captured.as_ref().unwrap().amount_minor,
        9000
    );
    assert_eq!(
        story.attempts[0].refunded.as_ref().unwrap().amount_minor,
        9000
    );
    assert_eq!(
        story.refunds[0].refund.as_ref().unwrap().id,
        back.to_string()
    );
    assert!(story.refunds[0].tickets_voided);
    let steps: Vec<_> = story
        .history
        .iter()
        .map(|entry| entry.to().as_str_name())
        .collect();
    assert_eq!(steps.len(), 5, "{steps:?}");
    assert_eq!(story.provider_events[0].event_id, "evt_1");
    let entries: Vec<&str> = story
        .account_entries
        .iter()
        .map(|entry| entry.entry.as_str())
        .collect();
    assert_eq!(entries.len(), 2 + 4 + 4 + 2, "{entries:?}");
    let sum: i64 = story
        .account_entries
        .iter()
        .map(|e| e.amount.as_ref().unwrap().amount_minor)
        .sum();
    assert_eq!(sum, 0);

    let foreign = desk.clerk_of(&[]).asks(request());
    assert_eq!(
        orders.inspect_order(foreign).await.unwrap_err().code(),
        Code::NotFound
    );
    orders
        .inspect_order(Clerk::superadmin().asks(request()))
        .await
        .unwrap();
}

async fn told_by_provider(pool: &PgPool, payment: Uuid) {
    sqlx::query(
        "INSERT INTO provider_events (id, provider, event_id, kind, reference, amount_minor, currency,
             body, state, outcome)
         VALUES (gen_random_uuid(), 'sandbox', 'evt_1', 'paid', 'sbx_' || $1::uuid, 9000, 'EUR', '',
             'applied', 'paid')",
    )
    .bind(payment)
    .execute(pool)
    .await
    .unwrap();
}
