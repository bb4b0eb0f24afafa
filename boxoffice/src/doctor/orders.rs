//! Rules about an order that no single database can answer. The three databases are walked side by
//! side in the order of the orders' ids, a batch of each at a time.

use sqlx::FromRow;
use uuid::Uuid;

use super::{
    Report, Snapshots, Verdict,
    rule::Weight,
    stream::{Row, Stream},
};

/// What payment-svc knows of an order.
#[derive(Clone, Debug, FromRow)]
struct Order {
    id: Uuid,
    status: String,
    total_minor: i64,
    currency: String,
    /// Units by ticket type, as text that can be compared.
    units: String,
    /// It had its tickets once.
    fulfilled: bool,
    /// Units that refunds may make void, and those that they have.
    given_back: i64,
    surely_given_back: i64,
    /// How many mails its guest may have beside the receipt, by kind, and how many they must have.
    may_tell: Vec<i64>,
    must_tell: Vec<i64>,
    /// It has been what it is for longer than things have to settle.
    settled: bool,
}

/// The kinds of `may_tell`, `must_tell` and `told`.
const KINDS: [&str; 7] = [
    "unfulfillable",
    "refunded",
    "cancelled",
    "receipt sent again",
    "postponed",
    "reminder",
    "awaiting_transfer",
];

const ORDERS: &str = "
    SELECT o.id, o.status, o.total_amount_minor AS total_minor, o.currency,
           o.updated_at < rest.before AS settled,
           coalesce((SELECT string_agg(l.quantity || ' of ' || l.ticket_type_id, ', '
                                       ORDER BY l.ticket_type_id)
                     FROM order_lines l WHERE l.order_id = o.id), 'none') AS units,
           EXISTS (SELECT FROM order_events e
                   WHERE e.order_id = o.id AND e.to_status = 'fulfilled') AS fulfilled,
           b.given_back, b.surely_given_back, t.may_tell || n.may_tell AS may_tell,
           t.must_tell || n.must_tell AS must_tell
    FROM (SELECT now() - make_interval(secs => $1) AS before) rest
    CROSS JOIN orders o
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(l.quantity), 0) AS given_back,
               coalesce(sum(l.quantity) FILTER (WHERE r.tickets_voided_at < rest.before), 0)
                   AS surely_given_back
        FROM refunds r JOIN refund_lines l ON l.refund_id = r.id WHERE r.order_id = o.id) b
    CROSS JOIN LATERAL (
        -- Its guest has unsubscribed.
        SELECT count(*) FILTER (WHERE reason = 'withheld:order_unfulfillable') AS unfulfillable,
               count(*) FILTER (WHERE reason = 'withheld:order_refunded') AS refunded,
               count(*) FILTER (WHERE reason = 'withheld:order_cancelled') AS cancelled
        FROM order_events WHERE order_id = o.id AND reason LIKE 'withheld:%') w
    CROSS JOIN LATERAL (
        SELECT ARRAY[count(*) FILTER (WHERE kind = 'receipt'),
                     count(*) FILTER (WHERE kind = 'postponed'),
                     count(*) FILTER (WHERE kind = 'reminder'),
                     count(*) FILTER (WHERE kind = 'awaiting_transfer')] AS may_tell,
               ARRAY[count(*) FILTER (WHERE kind = 'receipt' AND at < rest.before),
                     count(*) FILTER (WHERE kind = 'postponed' AND at < rest.before),
                     count(*) FILTER (WHERE kind = 'reminder' AND at < rest.before),
                     count(*) FILTER (WHERE kind = 'awaiting_transfer' AND at < rest.before)]
                   AS must_tell
        FROM order_news WHERE order_id = o.id) n
    CROSS JOIN LATERAL (
        SELECT ARRAY[least(count(*) FILTER (WHERE kind = 'unfulfillable'), 1) - w.unfulfillable,
                     count(*) FILTER (WHERE kind = 'refunded') - w.refunded,
                     least(count(*) FILTER (WHERE kind = 'cancelled'), 1) - w.cancelled] AS may_tell,
               ARRAY[least(count(*) FILTER (WHERE kind = 'unfulfillable' AND at < rest.before), 1)
                         - w.unfulfillable,
                     count(*) FILTER (WHERE kind = 'refunded' AND at < rest.before) - w.refunded,
                     least(count(*) FILTER (WHERE kind = 'cancelled' AND at < rest.before), 1)
                         - w.cancelled] AS must_tell
        FROM (SELECT CASE reason WHEN 'unfulfillable' THEN 'unfulfillable'
                                 WHEN 'event_cancelled' THEN 'cancelled' ELSE 'refunded' END AS kind,
                     CASE reason WHEN 'external' THEN NULL
                                 WHEN 'requested' THEN paid_out_at
                                 WHEN 'guest_cancelled' THEN paid_out_at
                                 ELSE submitted_at END AS at
              FROM refunds WHERE order_id = o.id
              UNION ALL
              SELECT 'cancelled', e.at FROM order_events e
              WHERE e.order_id = o.id AND e.reason = 'event_cancelled' AND e.from_status = e.to_status
              UNION ALL
              SELECT 'unfulfillable', e.at FROM order_events e
              WHERE e.order_id = o.id AND o.total_amount_minor = 0
                AND e.to_status = 'unfulfillable' AND e.from_status <> e.to_status)
             told
        WHERE at IS NOT NULL) t
    WHERE o.id > $2 ORDER BY o.id LIMIT $3";

/// What ticket-svc answered about an order.
#[derive(Clone, Debug, FromRow)]
struct Answer {
    id: Uuid,
    answer: String,
    valid_tickets: i64,
    void_tickets: i64,
    /// Tickets by ticket type, void ones too.
    units: String,
    /// Total and currency of the hold it was bound to.
    price: Option<String>,
    settled: bool,
}

const ANSWERS: &str = "
    SELECT a.order_id AS id, a.answer,
           a.answered_at < now() - make_interval(secs => $1) AS settled,
           (SELECT count(*) FROM tickets t
            WHERE t.order_id = a.order_id AND t.status = 'valid') AS valid_tickets,
           (SELECT count(*) FROM tickets t
            WHERE t.order_id = a.order_id AND t.status = 'void') AS void_tickets,
           coalesce((SELECT string_agg(t.n || ' of ' || t.ticket_type_id, ', '
                                       ORDER BY t.ticket_type_id)
                     FROM (SELECT ticket_type_id, count(*) AS n FROM tickets
                           WHERE order_id = a.order_id GROUP BY ticket_type_id) t),
                    'none') AS units,
           (SELECT h.total_minor || ' ' || h.currency FROM holds h
            WHERE h.order_id = a.order_id) AS price
    FROM order_answers a WHERE a.order_id > $2 ORDER BY a.order_id LIMIT $3";

/// What notify-svc has for an order: first receipts, and the other mails by kind. Each counts once, to however many
/// addresses its order went since.
#[derive(Clone, Debug, FromRow)]
struct Mails {
    id: Uuid,
    receipts: i64,
    attempted: i64,
    told: Vec<i64>,
}

const MAILS: &str = "
    SELECT order_id AS id,
           count(DISTINCT message_id) FILTER (WHERE kind = 'receipt' AND revision = 0) AS receipts,
           -- Or another one took its place.
           count(DISTINCT message_id) FILTER (WHERE kind = 'receipt' AND revision = 0
               AND (attempts > 0 OR status = 'withdrawn' AND EXISTS (
                   SELECT FROM notifications r
                   WHERE r.order_id = n.order_id AND r.kind = 'receipt' AND r.revision > 0)))
               AS attempted,
           ARRAY[count(DISTINCT message_id) FILTER (WHERE kind = 'unfulfillable'),
                 count(DISTINCT message_id) FILTER (WHERE kind = 'refunded'),
                 count(DISTINCT message_id) FILTER (WHERE kind = 'cancelled'),
                 count(DISTINCT message_id) FILTER (WHERE kind = 'receipt' AND revision > 0),
                 count(DISTINCT message_id) FILTER (WHERE kind = 'postponed'),
                 count(DISTINCT message_id) FILTER (WHERE kind = 'reminder'),
                 count(DISTINCT message_id) FILTER (WHERE kind = 'awaiting_transfer')] AS told
    FROM notifications n
    WHERE $1 >= 0.0 AND order_id > $2 AND copy = 0
    GROUP BY order_id ORDER BY order_id LIMIT $3";

/// All that is known of one order.
struct Facts {
    id: Uuid,
    order: Option<Order>,
    answer: Option<Answer>,
    mails: Option<Mails>,
}

impl Facts {
    fn status(&self) -> &str {
        self.order
            .as_ref()
            .map_or("unknown to payment-svc", |order| &order.status)
    }

    fn answer(&self) -> &str {
        self.answer
            .as_ref()
            .map_or("nothing", |answer| &answer.answer)
    }

    fn settled(&self) -> bool {
        self.order.as_ref().is_some_and(|order| order.settled)
    }

    fn answer_settled(&self) -> bool {
        self.answer.as_ref().is_some_and(|answer| answer.settled)
    }

    /// It has its tickets, or had them until all of its money went back.
    fn was_fulfilled(&self) -> bool {
        let fulfilled = self.order.as_ref().is_some_and(|order| order.fulfilled);
        match self.status() {
            "fulfilled" | "partially_refunded" => true,
            "refunded" => fulfilled,
            _ => false,
        }
    }
}

struct Rule {
    name: &'static str,
    says: &'static str,
    /// In words, where the rule is broken.
    broken: fn(&Facts) -> Option<String>,
}

const RULES: [Rule; 9] = [
    Rule {
        name: "tickets-only-if-paid",
        says: "No unpaid order has a valid ticket.",
        broken: |facts| {
            let tickets = facts.answer.as_ref()?.valid_tickets;
            let paid = facts.was_fulfilled() || facts.status() == "paid";
            (tickets > 0 && !paid).then(|| format!("has {tickets} valid tickets"))
        },
    },
    Rule {
        name: "fulfilled-is-committed",
        says: "An order is fulfilled if, and only if, ticket-svc answered COMMITTED.",
        broken: |facts| {
            let committed = facts.answer() == "committed";
            let fulfilled = facts.was_fulfilled();
            let without_cause = fulfilled && !committed && facts.settled();
            let without_effect = committed && !fulfilled && facts.answer_settled();
            (without_cause || without_effect).then(|| format!("was answered {}", facts.answer()))
        },
    },
    Rule {
        name: "unfulfillable-is-refused",
        says: "An order is given up if, and only if, ticket-svc answered REFUSED.",
        broken: |facts| {
            let refused = facts.answer() == "refused";
            let given_up = facts.status() == "unfulfillable";
            let without_cause = given_up && !refused && facts.settled();
            let after = given_up || (facts.status() == "refunded" && !facts.was_fulfilled());
            let without_effect = refused && !after && facts.answer_settled();
            (without_cause || without_effect).then(|| format!("was answered {}", facts.answer()))
        },
    },
    Rule {
        name: "tickets-match-order",
        says: "A fulfilled order has the tickets that its lines ask for.",
        broken: |facts| {
            let (order, answer) = (facts.order.as_ref()?, facts.answer.as_ref()?);
            let differ = facts.was_fulfilled() && order.units != answer.units;
            differ.then(|| format!("ordered {} and has tickets {}", order.units, answer.units))
        },
    },
    Rule {
        name: "price-as-agreed",
        says: "A committed order costs what its hold costs.",
        broken: |facts| {
            let (order, answer) = (facts.order.as_ref()?, facts.answer.as_ref()?);
            let asked = format!("{} {}", order.total_minor, order.currency);
            let held = answer
                .price
                .as_ref()
                .filter(|_| answer.answer == "committed")?;
            (*held != asked).then(|| format!("costs {asked}, its hold {held}"))
        },
    },
    Rule {
        name: "one-receipt-per-order",
        says: "Every fulfilled order has exactly one first receipt, and it was tried to be sent.",
        broken: |facts| {
            if !facts.was_fulfilled() || !facts.settled() {
                return None;
            }
            let counts = facts
                .mails
                .as_ref()
                .map_or((0, 0), |mails| (mails.receipts, mails.attempted));
            (counts != (1, 1))
                .then(|| format!("has {} receipts, {} of them tried", counts.0, counts.1))
        },
    },
    Rule {
        name: "receipts-only-if-fulfilled",
        says: "No receipt belongs to an order that was not fulfilled.",
        broken: |facts| {
            let receipts = facts.mails.as_ref()?.receipts;
            (receipts > 0 && !facts.was_fulfilled()).then(|| format!("has {receipts} receipts"))
        },
    },
    Rule {
        name: "returned-tickets-are-void",
        says: "The tickets that refunds give back are void, and no others.",
        broken: |facts| {
            let (order, answer) = (facts.order.as_ref()?, facts.answer.as_ref()?);
            let too_few = answer.void_tickets < order.surely_given_back;
            // A cancelled event that was free has no refunds.
            let too_many = answer.void_tickets > order.given_back && order.total_minor > 0;
            (too_few || too_many).then(|| {
                let (given_back, void) = (order.given_back, answer.void_tickets);
                format!("gave {given_back} tickets back and has {void} void ones")
            })
        },
    },
    Rule {
        name: "guests-are-told-once",
        says: "Whatever a guest is to be told of an order beside its receipt is told once.",
        broken: |facts| {
            let nothing = vec![0; KINDS.len()];
            let told = facts.mails.as_ref().map_or(&nothing, |mails| &mails.told);
            let order = facts.order.as_ref();
            let must = order.map_or(&nothing, |order| &order.must_tell);
            let may = order.map_or(&nothing, |order| &order.may_tell);
            let counts = KINDS.iter().zip(told).zip(must.iter().zip(may));
            let mut wrong = counts.filter(|((_, told), (must, may))| told < must || told > may);
            let ((kind, told), (_, may)) = wrong.next()?;
            Some(format!("has {told} mails of {may} as {kind}"))
        },
    },
];

pub(super) fn rules() -> impl Iterator<Item = (&'static str, &'static str)> {
    RULES.into_iter().map(|rule| (rule.name, rule.says))
}

pub(super) async fn check(
    snapshots: &mut Snapshots,
    report: &mut Report,
) -> Result<(), sqlx::Error> {
    let settle_secs = report.settle_secs;
    let mut orders = Stream::new(&mut snapshots.payments, ORDERS, settle_secs);
    let mut answers = Stream::new(&mut snapshots.tickets, ANSWERS, settle_secs);
    let mut mails = Stream::new(&mut snapshots.notifications, MAILS, settle_secs);
    let mut verdicts = RULES.map(|_| Verdict::default());
    loop {
        let heads = [
            orders.head().await?,
            answers.head().await?,
            mails.head().await?,
        ];
        let Some(id) = heads.into_iter().flatten().min() else {
            break;
        };
        let facts = Facts {
            id,
            order: orders.take(id),
            answer: answers.take(id),
            mails: mails.take(id),
        };
        for (rule, verdict) in RULES.iter().zip(&mut verdicts) {
            if let Some(what) = (rule.broken)(&facts) {
                verdict.count(format!(
                    "order {} is {} and {what}",
                    facts.id,
                    facts.status()
                ));
            }
        }
    }
    for (rule, verdict) in RULES.iter().zip(verdicts) {
        report.add("all", (rule.name, rule.says), Weight::Broken, verdict);
    }
    Ok(())
}

impl Row for Order {
    fn id(&self) -> Uuid {
        self.id
    }
}

impl Row for Answer {
    fn id(&self) -> Uuid {
        self.id
    }
}

impl Row for Mails {
    fn id(&self) -> Uuid {
        self.id
    }
}
