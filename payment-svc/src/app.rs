use std::{sync::Arc, time::Duration};

use base::{EmailAddress, KeyRing, OrderId, Sealer, Secret, Sources};
use db::Db;
use kit::{Tasks, client::MeshChannel};
use proto::{
    common::Seller,
    ticket::{
        change_service_client::ChangeServiceClient, grant_service_client::GrantServiceClient,
        inventory_service_client::InventoryServiceClient,
    },
};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::{
    config::{PublicUrl, SellerSettings},
    jobs::{self, Finished},
    lane::Lane,
    provider::Providers,
    rpc::{self, NewEvent},
    saga::{self, Fulfilment, Payment},
    store::OrderRow,
    terms::Terms,
    transfers::TransferRow,
};

const ORDER_SECRET: &str = "order";
/// Whoever has it can unsubscribe the order, and nothing else.
const UNSUBSCRIBE_SECRET: &str = "unsubscribe";
/// Whoever has it placed the order; no mail carries it, and no correction of the address changes it.
const PURCHASE_PROOF: &str = "purchase";
const PURCHASE_GENERATION: u32 = 1;
/// Opens one ticket that was handed on.
const TICKET_SECRET: &str = "ticket";
const TICKET_GENERATION: u32 = 1;
const GUEST_KEY: &str = "guest";
/// notify-svc opens the sealed link with the same word.
const ORDER_LINK: &str = "order-link";
const UNSUBSCRIBE_LINK: &str = "unsubscribe-link";
const LOOKUP_CODE: &str = "lookup-code";

/// What every operation works with.
pub(crate) struct App {
    pub db: Db,
    /// For taking what is due.
    pub queue: Db,
    pub sources: Sources,
    pub keys: KeyRing,
    pub sealer: Sealer,
    pub public_url: PublicUrl,
    pub inventory: InventoryServiceClient<MeshChannel>,
    pub changes: ChangeServiceClient<MeshChannel>,
    pub grants: GrantServiceClient<MeshChannel>,
    pub providers: Providers,
    /// Where an event does not name its own.
    pub seller: SellerSettings,
    /// None where orders are placed without any.
    pub terms: Option<Terms>,
    /// Before an event, by the clock of its place; zero where nobody is reminded.
    pub reminder_before: Duration,
    pub tasks: Tasks,
    pub nudges: Nudges,
    pub lanes: Lanes,
}

/// Wake jobs right after the commit that gave them work; they also look by themselves.
#[derive(Default)]
pub(crate) struct Nudges {
    pub orders: Arc<Notify>,
    pub refunds: Arc<Notify>,
    pub provider_events: Arc<Notify>,
    pub outbox: Arc<Notify>,
}

/// Where each paid order goes by: what comes at the same moment is stored together.
#[derive(Default)]
pub(crate) struct Lanes {
    /// Webhooks as they come in. True: it is new.
    pub provider_events: Lane<NewEvent, bool>,
    /// Money that arrived as it was asked for. False: it takes the long way.
    pub payments: Lane<Payment, bool>,
    /// Webhooks that have been applied.
    pub finished: Lane<Finished, ()>,
    /// Orders that have their tickets.
    pub fulfilments: Lane<Fulfilment, ()>,
}

impl Lanes {
    pub fn open(&self, tasks: &Tasks, db: &Db) {
        let Self {
            provider_events,
            payments,
            finished,
            fulfilments,
        } = self;
        provider_events.open("provider_events", (tasks, db), |session, events| {
            Box::pin(rpc::store_events(session, events))
        });
        payments.open("payments", (tasks, db), |session, all| {
            Box::pin(saga::pay_all(session, all))
        });
        finished.open("finished_events", (tasks, db), |session, all| {
            Box::pin(jobs::finish_all(session, all))
        });
        fulfilments.open("fulfilments", (tasks, db), |session, all| {
            Box::pin(saga::fulfil_all(session, all))
        });
    }
}

impl App {
    /// None once the key that the order was made with has left the ring.
    pub fn order_secret(&self, order: &OrderRow) -> Option<Secret> {
        let generation = order.secret_generation.unsigned_abs();
        self.keys
            .derive_with(&order.secret_key_id, ORDER_SECRET, order.id, generation)
    }

    /// In constant time.
    pub fn secret_is_right(&self, order: &OrderRow, presented: &str) -> bool {
        let generation = order.secret_generation.unsigned_abs();
        self.keys.verify(
            &order.secret_key_id,
            ORDER_SECRET,
            order.id,
            generation,
            presented,
        )
    }

    /// The order's link, unreadable for everyone but notify-svc; empty once its key has left the ring.
    pub fn sealed_link(&self, order: &OrderRow) -> Vec<u8> {
        self.sealed(ORDER_LINK, "o", order.id, self.order_secret(order))
    }

    /// The link that ends everything but receipts, sealed in the same way. It dies with the order's link.
    pub fn sealed_unsubscribe_link(&self, order: &OrderRow) -> Vec<u8> {
        let generation = order.secret_generation.unsigned_abs();
        let (key, purpose) = (&order.secret_key_id, UNSUBSCRIBE_SECRET);
        let secret = self.keys.derive_with(key, purpose, order.id, generation);
        self.sealed(UNSUBSCRIBE_LINK, "u", order.id, secret)
    }

    /// In constant time.
    pub fn unsubscribe_secret_is_right(&self, order: &OrderRow, presented: &str) -> bool {
        let generation = order.secret_generation.unsigned_abs();
        let (key, purpose) = (&order.secret_key_id, UNSUBSCRIBE_SECRET);
        self.keys
            .verify(key, purpose, order.id, generation, presented)
    }

    /// None once the key that the order was made with has left the ring.
    pub fn purchase_proof(&self, order: &OrderRow) -> Option<Secret> {
        let key = &order.secret_key_id;
        self.keys
            .derive_with(key, PURCHASE_PROOF, order.id, PURCHASE_GENERATION)
    }

    /// In constant time.
    pub fn purchase_proof_is_right(&self, order: &OrderRow, presented: &str) -> bool {
        let (key, generation) = (&order.secret_key_id, PURCHASE_GENERATION);
        self.keys
            .verify(key, PURCHASE_PROOF, order.id, generation, presented)
    }

    /// In constant time.
    pub fn ticket_secret_is_right(&self, transfer: &TransferRow, presented: &str) -> bool {
        let (key, generation) = (&transfer.secret_key_id, TICKET_GENERATION);
        self.keys
            .verify(key, TICKET_SECRET, transfer.id, generation, presented)
    }

    /// The link of a ticket that was handed on, sealed like an order's.
    pub fn sealed_ticket_link(&self, transfer: &TransferRow) -> Vec<u8> {
        let (key, generation) = (&transfer.secret_key_id, TICKET_GENERATION);
        let secret = self
            .keys
            .derive_with(key, TICKET_SECRET, transfer.id, generation);
        self.sealed(ORDER_LINK, "t", transfer.id, secret)
    }

    /// The link that ends the messages to whom a ticket was handed to, sealed in the same way.
    pub fn sealed_ticket_unsubscribe_link(&self, transfer: &TransferRow) -> Vec<u8> {
        let (key, generation) = (&transfer.secret_key_id, TICKET_GENERATION);
        let secret = self
            .keys
            .derive_with(key, UNSUBSCRIBE_SECRET, transfer.id, generation);
        self.sealed(UNSUBSCRIBE_LINK, "u", transfer.id, secret)
    }

    /// In constant time.
    pub fn ticket_unsubscribe_secret_is_right(
        &self,
        transfer: &TransferRow,
        presented: &str,
    ) -> bool {
        let (key, generation) = (&transfer.secret_key_id, TICKET_GENERATION);
        self.keys
            .verify(key, UNSUBSCRIBE_SECRET, transfer.id, generation, presented)
    }

    pub fn sealed_code(&self, code: &str) -> Vec<u8> {
        self.sealer
            .seal(&self.sources, LOOKUP_CODE, code.as_bytes())
    }

    fn sealed(&self, word: &str, path: &str, id: Uuid, secret: Option<Secret>) -> Vec<u8> {
        let Some(secret) = secret else {
            return Vec::new();
        };
        let path = format!("/{path}/{id}/{}", secret.expose());
        let link = self.public_url.at(&path);
        self.sealer.seal(&self.sources, word, link.as_bytes())
    }

    /// Who sells where an event does not name its own.
    pub fn installation_seller(&self) -> Seller {
        Seller {
            name: self.seller.seller_name.clone(),
            address: self.seller.seller_address.clone(),
            tax_id: self.seller.seller_tax_id.clone(),
            contact: self.seller.seller_contact.clone(),
        }
    }

    /// Where a provider sends the guest back to.
    pub fn order_page(&self, order: OrderId) -> String {
        self.public_url.at(&format!("/orders/{order}"))
    }

    /// What ticket-svc counts a guest's tickets by; it never learns the address.
    pub fn guest_key(&self, email: &EmailAddress) -> [u8; 32] {
        self.keys
            .keyed_hash(GUEST_KEY, email.as_str().to_lowercase().as_bytes())
    }
}
