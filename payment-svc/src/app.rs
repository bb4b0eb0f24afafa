use std::sync::Arc;

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

use crate::{
    config::{PublicUrl, SellerSettings},
    jobs::{self, Finished},
    lane::Lane,
    provider::Providers,
    rpc::{self, NewEvent},
    saga::{self, Fulfilment, Payment},
    store::OrderRow,
};

const ORDER_SECRET: &str = "order";
const GUEST_KEY: &str = "guest";
/// notify-svc opens the sealed link with the same word.
const ORDER_LINK: &str = "order-link";

/// What every operation works with.
pub(crate) struct App {
    pub db: Db,
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
        provider_events.open(tasks, db, |session, events| {
            Box::pin(rpc::store_events(session, events))
        });
        payments.open(tasks, db, |session, all| {
            Box::pin(saga::pay_all(session, all))
        });
        finished.open(tasks, db, |session, all| {
            Box::pin(jobs::finish_all(session, all))
        });
        fulfilments.open(tasks, db, |session, all| {
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
        let Some(secret) = self.order_secret(order) else {
            return Vec::new();
        };
        let link = self
            .public_url
            .at(&format!("/o/{}/{}", order.id, secret.expose()));
        self.sealer.seal(&self.sources, ORDER_LINK, link.as_bytes())
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
