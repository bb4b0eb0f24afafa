use std::{net::SocketAddr, path::PathBuf, str::FromStr};

use base::{KeyRing, Sealer, Secret};
use kit::MeshSettings;

use crate::provider::WebhookSecrets;
pub use crate::provider::sandbox::WebhookFaults;

/// payment-svc: orders and money.
#[derive(clap::Parser, Clone, Debug)]
#[command(name = "payment-svc", version)]
pub struct Config {
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Where the gRPC server listens.
    #[arg(long, env = "GRPC_ADDR", default_value = "127.0.0.1:50053")]
    pub grpc_addr: SocketAddr,

    /// `postgres://user:password@host:port/database`.
    #[arg(long, env = "DATABASE_URL", value_parser = secret, hide_env_values = true)]
    pub database_url: Secret,

    /// Database sessions at most; 3 per core if unset.
    #[arg(long, env = "DATABASE_MAX_CONNECTIONS", value_parser = clap::value_parser!(u32).range(2..))]
    pub database_max_connections: Option<u32>,

    /// `nats://user:password@host:port`, or those of a cluster with commas between them. Selling does not depend on it.
    #[arg(long, env = "NATS_URL", value_parser = secret, hide_env_values = true)]
    pub nats_url: Secret,

    /// So many servers of a NATS cluster keep a copy of what travels between services: 3 where there are three. More
    /// that an operator has set are left alone.
    #[arg(long, env = "NATS_STREAM_COPIES", default_value_t = 1,
          value_parser = clap::value_parser!(u8).range(1..=5))]
    pub nats_stream_copies: u8,

    #[command(flatten)]
    pub mesh: MeshSettings,

    /// gRPC address of ticket-svc.
    #[arg(long, env = "TICKET_SVC_URL", default_value = "http://127.0.0.1:50052")]
    pub ticket_svc_url: String,

    /// gRPC address of notify-svc.
    #[arg(long, env = "NOTIFY_SVC_URL", default_value = "http://127.0.0.1:50054")]
    pub notify_svc_url: String,

    /// Where guests reach the shop; the start of every link. Without a slash at the end.
    #[arg(long, env = "PUBLIC_URL", default_value = "http://127.0.0.1:8080")]
    pub public_url: PublicUrl,

    /// Keys that order secrets are derived from, `id:key,…`; the first derives, all verify. The hash of a guest's
    /// address for limits per guest is made with the first one too, so a rotation starts those counts anew.
    #[arg(long, env = "ORDER_KEYS", hide_env_values = true)]
    pub order_keys: KeyRing,

    /// Seals the order's link inside messages; notify-svc has the same key. 32 random bytes, base64url.
    #[arg(long, env = "LINK_SEAL_KEY", hide_env_values = true)]
    pub link_seal_key: Sealer,

    /// Payment providers, separated by commas; the first is the default.
    #[arg(
        long,
        env = "PAYMENT_PROVIDERS",
        value_delimiter = ',',
        default_value = "sandbox"
    )]
    pub payment_providers: Vec<ProviderName>,

    /// gRPC address of user-svc, whose keys verify access tokens.
    #[arg(long, env = "USER_SVC_URL", default_value = "http://127.0.0.1:50051")]
    pub user_svc_url: String,

    #[command(flatten)]
    pub seller: SellerSettings,

    /// A file with the terms on which orders are placed, plain text: the guest accepts them at the checkout, and the
    /// order remembers which. None where it is left out.
    #[arg(long, env = "TERMS_FILE")]
    pub terms_file: Option<PathBuf>,

    #[command(flatten)]
    pub stripe: StripeSettings,

    /// How to pay by bank transfer: account and bank, shown with the amount and the reference. Several lines.
    #[arg(
        long,
        env = "MANUAL_PAYMENT_INSTRUCTIONS",
        default_value = "Ask at the desk how to pay."
    )]
    pub manual_payment_instructions: String,

    /// How many hours before an event its guests are reminded of it, by the clock of its place; what would go out
    /// in the night goes out in the evening before. 0: nobody is reminded.
    #[arg(long, env = "REMINDER_BEFORE_HOURS", default_value_t = 24,
        value_parser = clap::value_parser!(u32).range(..=720))]
    pub reminder_before_hours: u32,

    /// Signs the sandbox's webhooks: secrets of 16 characters or more, separated by commas; the first signs, all verify.
    #[arg(long, env = "SANDBOX_WEBHOOK_SECRET", hide_env_values = true)]
    pub sandbox_webhook_secret: WebhookSecrets,

    /// Where the sandbox delivers its webhooks; the gateway's hook below PUBLIC_URL if unset.
    #[arg(long, env = "SANDBOX_WEBHOOK_URL")]
    pub sandbox_webhook_url: Option<reqwest::Url>,

    /// What happens to the sandbox's webhooks on their way, for tests:
    /// `delay_ms=500,loss=0.1,duplicate=0.2,disorder=0.3`; the last three are probabilities.
    #[arg(long, env = "SANDBOX_WEBHOOK_FAULTS", default_value = "")]
    pub sandbox_webhook_faults: WebhookFaults,

    /// How late the sandbox is where its test cards make it late, in milliseconds.
    #[arg(long, env = "SANDBOX_LATE_MS", default_value_t = 60_000)]
    pub sandbox_late_ms: u64,

    /// Lets grpcurl list and describe the services.
    #[arg(long, env = "GRPC_REFLECTION", default_value_t = false, action = clap::ArgAction::Set)]
    pub grpc_reflection: bool,

    #[command(flatten)]
    pub telemetry: kit::telemetry::Settings,
}

/// Who sells, where an event does not say otherwise; receipts name it.
#[derive(clap::Args, Clone, Debug)]
pub struct SellerSettings {
    /// Named as the seller on receipts.
    #[arg(long, env = "SELLER_NAME", default_value = "Boxoffice")]
    pub seller_name: String,

    /// The seller's postal address. Several lines.
    #[arg(long, env = "SELLER_ADDRESS", default_value = "")]
    pub seller_address: String,

    /// The seller's tax number.
    #[arg(long, env = "SELLER_TAX_ID", default_value = "")]
    pub seller_tax_id: String,

    /// Where guests get help.
    #[arg(long, env = "SELLER_CONTACT", default_value = "")]
    pub seller_contact: String,
}

/// The account at Stripe; needed only if PAYMENT_PROVIDERS names it.
#[derive(clap::Args, Clone, Debug)]
pub struct StripeSettings {
    /// Secret key of the account (`sk_…`).
    #[arg(long, env = "STRIPE_SECRET_KEY", value_parser = secret, hide_env_values = true,
        required_if_eq("payment_providers", "stripe"))]
    pub stripe_secret_key: Option<Secret>,

    /// Signing secrets of the webhook endpoint (`whsec_…`), separated by commas, so that they can be rotated.
    #[arg(
        long,
        env = "STRIPE_WEBHOOK_SECRET",
        hide_env_values = true,
        required_if_eq("payment_providers", "stripe")
    )]
    pub stripe_webhook_secret: Option<WebhookSecrets>,

    /// Where Stripe's API answers.
    #[arg(
        long,
        env = "STRIPE_API_BASE",
        default_value = "https://api.stripe.com"
    )]
    pub stripe_api_base: reqwest::Url,
}

#[derive(clap::Subcommand, Clone, Copy, Debug)]
pub enum Command {
    /// Apply the migrations and exit.
    Migrate,
}

/// The providers this build has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderName {
    /// The built-in provider with test cards. It moves no real money.
    Sandbox,
    /// Cards and more, on Stripe's own page.
    Stripe,
    /// Bank transfer, or cash at the desk: an admin confirms what arrived.
    Manual,
}

impl FromStr for ProviderName {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        // Without a space: what a provider needs is asked for by its exact name.
        match name {
            "sandbox" => Ok(Self::Sandbox),
            "stripe" => Ok(Self::Stripe),
            "manual" => Ok(Self::Manual),
            _ => Err("must be sandbox, stripe or manual"),
        }
    }
}

/// An http or https address without a slash at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(String);

impl PublicUrl {
    /// `path` begins with a slash.
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }
}

impl FromStr for PublicUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url: reqwest::Url = text.parse().map_err(|_| "is no URL")?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err("must begin with http:// or https:// and a host");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("must end with the host or a path");
        }
        Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the shape clap wants of a parser")]
fn secret(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text))
}
