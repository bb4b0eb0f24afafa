//! What Stripe has on record, and what the guest and the dashboard change about it.

use super::unix_now;
use super::write;
use serde_json::Value;
use std::collections::BTreeMap;

/// A payment in Stripe's ledger, in Stripe's minor units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub session: String,
    /// `metadata[attempt]` of the session.
    pub attempt: String,
    /// Empty until the guest has tried to pay.
    pub intent: String,
    /// `open`, `complete`, `expired`.
    pub status: String,
    pub currency: String,
    pub captured: i64,
    pub refunded: i64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RefundFate {
    #[default]
    Succeeds,
    /// Waits for `settle_refund`.
    StaysPending,
    Fails,
    /// Fails, for the account's balance is too low.
    LacksFunds,
    /// None is made, for the same reason.
    IsRefused,
}

#[derive(Debug, Default)]
pub(super) struct Books {
    pub sessions: Vec<Session>,
    pub refunds: Vec<Refund>,
    pub fate: RefundFate,
    /// Events that nobody has heard of yet: type and object.
    pub said: Vec<(&'static str, Value)>,
    ids: u64,
}

#[derive(Debug)]
pub(super) struct Session {
    pub id: String,
    pub created: i64,
    pub expires_at: i64,
    pub status: &'static str,
    pub payment_status: &'static str,
    pub amount: i64,
    pub currency: String,
    pub client_reference_id: Option<String>,
    pub success_url: String,
    pub cancel_url: Option<String>,
    pub metadata: BTreeMap<String, String>,
    pub intent_metadata: BTreeMap<String, String>,
    pub description: Option<String>,
    /// Made when the guest first tries to pay.
    pub intent: Option<Intent>,
}

#[derive(Debug)]
pub(super) struct Intent {
    pub id: String,
    pub charge: Option<String>,
    pub created: i64,
    pub status: &'static str,
    pub received: i64,
    /// The decline code of the last try.
    pub error: Option<&'static str>,
}

#[derive(Debug)]
pub(super) struct Refund {
    pub id: String,
    pub created: i64,
    pub intent: String,
    pub charge: String,
    pub amount: i64,
    pub currency: String,
    pub status: &'static str,
    pub failure_reason: Option<&'static str>,
    pub metadata: BTreeMap<String, String>,
}

impl Books {
    pub fn id(&mut self, prefix: &str) -> String {
        self.ids += 1;
        format!("{prefix}_{:016}", self.ids)
    }

    pub fn session(&self, id: &str) -> Option<&Session> {
        self.sessions.iter().find(|session| session.id == id)
    }

    pub fn session_of(&self, intent: &str) -> Option<&Session> {
        let is_its = |session: &&Session| session.intent.as_ref().is_some_and(|i| i.id == intent);
        self.sessions.iter().find(is_its)
    }

    /// What was sent back of a payment, or is on its way.
    pub fn refunded(&self, intent: &str) -> i64 {
        let counts = |refund: &&Refund| {
            refund.intent == intent && !matches!(refund.status, "failed" | "canceled")
        };
        let counting = self.refunds.iter().filter(counts);
        counting.map(|refund| refund.amount).sum()
    }

    pub fn ledger(&self) -> Vec<Entry> {
        let entry = |session: &Session| {
            let intent = session.intent.as_ref();
            let intent_id = intent.map(|intent| intent.id.clone()).unwrap_or_default();
            Entry {
                session: session.id.clone(),
                attempt: session.metadata.get("attempt").cloned().unwrap_or_default(),
                status: session.status.to_owned(),
                currency: session.currency.clone(),
                captured: intent.map_or(0, |intent| intent.received),
                refunded: self.refunded(&intent_id),
                intent: intent_id,
            }
        };
        self.sessions.iter().map(entry).collect()
    }

    pub fn refund_ids(&self) -> Vec<String> {
        let id = |refund: &Refund| refund.id.clone();
        self.refunds.iter().map(id).collect()
    }

    pub fn pay(&mut self, session: &str) -> Result<(), String> {
        let charge = self.id("ch");
        self.try_to_pay(session, |session, intent| {
            (session.status, session.payment_status) = ("complete", "paid");
            (intent.status, intent.received) = ("succeeded", session.amount);
            (intent.charge, intent.error) = (Some(charge), None);
        })?;
        self.say_session("checkout.session.completed", session);
        Ok(())
    }

    pub fn decline(&mut self, session: &str) -> Result<(), String> {
        self.try_to_pay(session, |_, intent| {
            (intent.status, intent.error) = ("requires_payment_method", Some("generic_decline"));
        })
    }

    pub fn pay_later(&mut self, session: &str) -> Result<(), String> {
        self.try_to_pay(session, |session, intent| {
            session.status = "complete";
            (intent.status, intent.error) = ("processing", None);
        })?;
        self.say_session("checkout.session.completed", session);
        Ok(())
    }

    pub fn settle(&mut self, id: &str, succeeded: bool) -> Result<(), String> {
        let charge = self.id("ch");
        let session = self.sessions.iter_mut().find(|session| session.id == id);
        let session = session.ok_or("There is no such session.")?;
        let intent = session.intent.as_mut();
        let intent = intent.filter(|intent| intent.status == "processing");
        let intent = intent.ok_or("Nothing is under way.")?;
        let kind = if succeeded {
            session.payment_status = "paid";
            (intent.status, intent.received) = ("succeeded", session.amount);
            intent.charge = Some(charge);
            "checkout.session.async_payment_succeeded"
        } else {
            (intent.status, intent.error) = ("requires_payment_method", Some("debit_declined"));
            "checkout.session.async_payment_failed"
        };
        self.say_session(kind, id);
        Ok(())
    }

    pub fn lapse(&mut self, id: &str) -> Result<(), String> {
        let session = self.sessions.iter_mut().find(|session| session.id == id);
        let session = session.filter(|session| session.status == "open");
        let session = session.ok_or("It is not open.")?;
        session.status = "expired";
        session.expires_at = session.expires_at.min(unix_now());
        if let Some(intent) = &mut session.intent {
            intent.status = "canceled";
        }
        self.say_session("checkout.session.expired", id);
        Ok(())
    }

    pub fn tamper(&mut self, id: &str, amount: i64) {
        let session = self.sessions.iter_mut().find(|session| session.id == id);
        session.expect("a session to tamper with").amount = amount;
    }

    pub fn settle_refund(&mut self, id: &str, succeeded: bool) -> Result<(), String> {
        let refund = self.refunds.iter_mut().find(|refund| refund.id == id);
        let refund = refund.filter(|refund| refund.status == "pending");
        let refund = refund.ok_or("It is not pending.")?;
        let kind = if succeeded {
            refund.status = "succeeded";
            "refund.updated"
        } else {
            (refund.status, refund.failure_reason) = ("failed", Some("expired_or_canceled_card"));
            "refund.failed"
        };
        let object = write::refund(refund);
        self.said.push((kind, object));
        Ok(())
    }

    /// The guest's bank sends the money of a refund back.
    pub fn refund_comes_back(&mut self, id: &str) -> Result<(), String> {
        let refund = self.refunds.iter_mut().find(|refund| refund.id == id);
        let refund = refund.filter(|refund| refund.status == "succeeded");
        let refund = refund.ok_or("It was not paid out.")?;
        (refund.status, refund.failure_reason) = ("failed", Some("declined"));
        let object = write::refund(refund);
        self.said.push(("refund.failed", object));
        Ok(())
    }

    pub fn refund_in_dashboard(&mut self, session: &str, amount: i64) -> Result<String, String> {
        let session = self.session(session).ok_or("There is no such session.")?;
        let intent = session
            .intent
            .as_ref()
            .ok_or("Nobody has paid.")?
            .id
            .clone();
        let made = self.refund(&intent, Some(amount), BTreeMap::new());
        made.map_err(|error| error.message)
    }

    /// The page is open for everyone who has it, until it is not.
    fn try_to_pay(
        &mut self,
        id: &str,
        outcome: impl FnOnce(&mut Session, &mut Intent),
    ) -> Result<(), String> {
        let new = Intent {
            id: self.id("pi"),
            charge: None,
            created: unix_now(),
            status: "requires_payment_method",
            received: 0,
            error: None,
        };
        let session = self.sessions.iter_mut().find(|session| session.id == id);
        let session = session.ok_or("There is no such session.")?;
        match session.status {
            "open" if session.expires_at > unix_now() => {}
            "complete" => return Err("You have already paid.".to_owned()),
            _ => return Err("The session has expired.".to_owned()),
        }
        let mut intent = session.intent.take().unwrap_or(new);
        outcome(session, &mut intent);
        session.intent = Some(intent);
        Ok(())
    }

    fn say_session(&mut self, kind: &'static str, id: &str) {
        let object = self
            .session(id)
            .map(|session| write::session(session, false));
        self.said.extend(object.map(|object| (kind, object)));
    }
}
