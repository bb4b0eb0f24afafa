//! What holds the services together, as the flags of each: keys, databases, each other's addresses.
//! All else a service reads from the environment by itself.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use base::{Secret, Sources};
use kit::config::parse_from_or_exit;
use proto::Peer;

use crate::{Config, Databases, Keys, MeshConfig};

/// Where each member listens, by its name.
pub(crate) type Addrs = BTreeMap<&'static str, SocketAddr>;

/// Whom the gateway calls.
const UPSTREAMS: [(&str, Peer); 4] = [
    ("user-svc-url", Peer::User),
    ("ticket-svc-url", Peer::Ticket),
    ("payment-svc-url", Peer::Payment),
    ("notify-svc-url", Peer::Notify),
];

/// The folder of mails that were accepted, in the data folder.
pub(crate) const HANDED_OVER: &str = "handed-over";
/// The folder of pictures, in the data folder.
pub(crate) const IMAGES: &str = "images";

/// Ends the process with 64 if a setting of any service is nonsense, before anything is started.
/// What will only be known later stands in with an example.
pub(crate) fn check_settings_or_exit(config: &Config) -> anyhow::Result<()> {
    let database = || Secret::new("postgres://user:password@127.0.0.1:5432/name");
    let example = MeshConfig {
        http_addr: config.http_addr,
        public_url: config.public_url.clone(),
        databases: Databases {
            users: database(),
            tickets: database(),
            payments: database(),
            notifications: database(),
        },
        nats_url: Secret::new("nats://127.0.0.1:4222"),
        smtp_url: config.smtp_url.clone(),
        mail_dir: Some(config.data_dir.join("mails")),
        handed_over_dir: config.data_dir.join(HANDED_OVER),
        images_store: Some(images_store(config, &config.data_dir)),
        keys: Keys::read(|_, first| Ok(first()))?,
        certs_dir: config.mesh_certs_dir.clone(),
        sources: Sources::system(),
        settings: Vec::new(),
    };
    let members = [
        Peer::User,
        Peer::Ticket,
        Peer::Payment,
        Peer::Notify,
        Peer::Gateway,
    ];
    let addrs = members.map(|peer| (peer.name(), config.http_addr)).into();
    let flags = |peer| flags(&example, &addrs, peer);
    parse_from_or_exit::<user_svc::Config>(flags(Peer::User));
    parse_from_or_exit::<ticket_svc::Config>(flags(Peer::Ticket));
    parse_from_or_exit::<payment_svc::Config>(flags(Peer::Payment));
    parse_from_or_exit::<notify_svc::Config>(flags(Peer::Notify));
    parse_from_or_exit::<gateway::Config>(flags(Peer::Gateway));
    Ok(())
}

/// Where guests find the shop.
pub(crate) fn public_url(config: &MeshConfig, addrs: &Addrs) -> String {
    let served = || format!("http://{}", addrs[Peer::Gateway.name()]);
    config.public_url.clone().unwrap_or_else(served)
}

/// Where pictures are kept: where it was said, or in a folder beside the databases.
pub(crate) fn images_store(config: &Config, data_dir: &Path) -> String {
    let own = || data_dir.join(IMAGES).to_string_lossy().into_owned();
    config.images_store.clone().unwrap_or_else(own)
}

/// What a name of IMAGES_STORE that is no folder begins with.
const BUCKET: &str = "s3://";

/// The folder of the pictures; None where they are in a bucket.
pub(crate) fn images_folder(config: &Config) -> Option<PathBuf> {
    let store = images_store(config, &config.data_dir);
    (!store.starts_with(BUCKET)).then(|| store.into())
}

/// Where mails go: to a server, or into a folder. What was accepted is noted.
fn set_mail(config: &MeshConfig, mut set: impl FnMut(&'static str, &str)) {
    set("handed-over-dir", &config.handed_over_dir.to_string_lossy());
    if let Some(smtp) = &config.smtp_url {
        set("smtp-url", smtp.expose());
    }
    if let Some(folder) = &config.mail_dir {
        set("mail-dir", &folder.to_string_lossy());
    }
}

fn set_images(config: &MeshConfig, mut set: impl FnMut(&'static str, &str)) {
    if let Some(place) = &config.images_store {
        set("images-store", place);
    }
}

/// How members know each other: the scheme of their addresses, and the flag that says so to one.
fn known_by(config: &MeshConfig, peer: Peer) -> (&'static str, &'static str, String) {
    match &config.certs_dir {
        None => {
            let key = config.keys.mesh_setting.expose();
            ("http", "mesh-key", key.to_owned())
        }
        Some(folder) => {
            let own = folder.join(peer.name());
            (
                "https",
                "mesh-certs-dir",
                own.to_string_lossy().into_owned(),
            )
        }
    }
}

/// What only payment-svc needs, beside databases and addresses.
fn set_payment(config: &MeshConfig, addrs: &Addrs, mut set: impl FnMut(&'static str, &str)) {
    let keys = &config.keys;
    set("order-keys", keys.orders.expose());
    set("sandbox-webhook-secret", keys.sandbox_webhook.expose());
    let gateway = addrs[Peer::Gateway.name()];
    let hook = format!("http://{gateway}/api/v1/webhooks/sandbox");
    set("sandbox-webhook-url", &hook);
}

/// The command line of one service.
pub(crate) fn flags(config: &MeshConfig, addrs: &Addrs, peer: Peer) -> Vec<String> {
    let (keys, databases) = (&config.keys, &config.databases);
    let mut flags: BTreeMap<&str, String> = BTreeMap::new();
    let mut set = |flag, value: &str| drop(flags.insert(flag, value.to_owned()));
    let (scheme, flag, value) = known_by(config, peer);
    set(flag, &value);
    let url = |peer: Peer| format!("{scheme}://{}", addrs[peer.name()]);
    if peer != Peer::Gateway {
        set("grpc-reflection", "true");
    }
    match peer {
        Peer::User => {
            set("database-url", databases.users.expose());
            set("setup-token", keys.setup_token.expose());
            set("password-pepper", keys.password_pepper.expose());
            set("signing-seal-key", keys.signing_seal.expose());
            set("nats-url", config.nats_url.expose());
            set("notify-svc-url", &url(Peer::Notify));
            set("public-url", &public_url(config, addrs));
            set("link-seal-key", keys.link_seal.expose());
        }
        Peer::Ticket => {
            set("database-url", databases.tickets.expose());
            set("nats-url", config.nats_url.expose());
            set("user-svc-url", &url(Peer::User));
            set("hold-keys", keys.holds.expose());
            set("ticket-code-keys", keys.ticket_codes.expose());
        }
        Peer::Payment => {
            set("database-url", databases.payments.expose());
            set("nats-url", config.nats_url.expose());
            set("user-svc-url", &url(Peer::User));
            set("ticket-svc-url", &url(Peer::Ticket));
            set("notify-svc-url", &url(Peer::Notify));
            set("public-url", &public_url(config, addrs));
            set("link-seal-key", keys.link_seal.expose());
            set_payment(config, addrs, &mut set);
        }
        Peer::Notify => {
            set("database-url", databases.notifications.expose());
            set("nats-url", config.nats_url.expose());
            set("user-svc-url", &url(Peer::User));
            set("ticket-svc-url", &url(Peer::Ticket));
            set("public-url", &public_url(config, addrs));
            set("link-seal-key", keys.link_seal.expose());
            set_mail(config, &mut set);
        }
        Peer::Gateway | Peer::Operator => {
            set("nats-url", config.nats_url.expose());
            set("public-url", &public_url(config, addrs));
            set_images(config, &mut set);
            for (flag, peer) in UPSTREAMS {
                set(flag, &url(peer));
            }
        }
    }
    for (_, flag, value) in config
        .settings
        .iter()
        .filter(|(member, ..)| *member == peer)
    {
        set(flag, value);
    }
    let flags = flags
        .into_iter()
        .map(|(flag, value)| format!("--{flag}={value}"));
    std::iter::once(peer.name().to_owned())
        .chain(flags)
        .collect()
}
