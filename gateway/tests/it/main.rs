//! The gateway over real HTTP. Its upstreams are small servers on the real contracts that answer
//! what a test wants; the real services are met in dev/e2e.
#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
#![expect(
    clippy::disallowed_methods,
    reason = "a test ends what it spawns; its stubs fail as services do"
)]

mod accounts;
mod admin;
mod admin_life;
mod admin_money;
mod clocks;
mod cors;
mod cross_site;
mod dashboard;
mod desk;
mod documents;
mod edge;
mod errors;
mod export;
mod facts;
mod frank;
mod guesses;
mod guest;
mod halted_pools;
mod harness;
mod images;
mod limits;
mod notifications;
mod office;
mod openapi;
mod pressure;
mod programme;
mod rates;
mod record;
mod sandbox;
mod services;
mod shop;
mod shop_days;
mod shop_desk;
mod shop_language;
mod shop_money;
mod spoofing;
mod streams;
mod stub;
mod stub_accounts;
mod templates;
mod ticket_codes;
