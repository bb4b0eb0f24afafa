//! The services as programs of their own, with the settings that hold them together. The keys are those of the box
//! office that runs already, so that they can work on its data.

use std::net::SocketAddr;

use tokio::process::Command;

use crate::{mesh::BoxOffice, process::command};

/// Every service, lowest first.
pub const SERVICES: [&str; 5] = [
    "user-svc",
    "ticket-svc",
    "notify-svc",
    "payment-svc",
    "gateway",
];

/// Where each of them listens, or is called.
#[derive(Clone, Copy, Debug)]
pub struct Addrs {
    pub user: SocketAddr,
    pub ticket: SocketAddr,
    pub payment: SocketAddr,
    pub notify: SocketAddr,
    pub gateway: SocketAddr,
}

impl Addrs {
    /// Those of the box office itself.
    pub fn of(office: &BoxOffice) -> Self {
        let grpc = office.facts.grpc;
        Self {
            user: grpc.user,
            ticket: grpc.ticket,
            payment: grpc.payment,
            notify: grpc.notify,
            gateway: office.http,
        }
    }

    pub fn named(&self, service: &str) -> SocketAddr {
        match service {
            "user-svc" => self.user,
            "ticket-svc" => self.ticket,
            "payment-svc" => self.payment,
            "notify-svc" => self.notify,
            _ => self.gateway,
        }
    }
}

/// The command line of a service that listens at its place among these addresses.
pub fn program(office: &BoxOffice, service: &str, addrs: &Addrs) -> anyhow::Result<Command> {
    let mut program = command(&office.start.programs.join(service));
    let settings = office.start.settings.iter();
    let own = settings.filter(|(name, _)| *name != "LD_PRELOAD");
    program.envs(own.map(|(name, value)| (name, value)));
    let url = |addr: SocketAddr| format!("http://{addr}");
    program
        .env("MESH_KEY", office.secret("mesh-key")?)
        .env("RATE_LIMITS", "off")
        .env("GRPC_ADDR", addrs.named(service).to_string())
        .env("HTTP_ADDR", addrs.gateway.to_string())
        .env("PUBLIC_URL", url(addrs.gateway))
        .env("USER_SVC_URL", url(addrs.user))
        .env("TICKET_SVC_URL", url(addrs.ticket))
        .env("PAYMENT_SVC_URL", url(addrs.payment))
        .env("NOTIFY_SVC_URL", url(addrs.notify));
    let keys: &[(&str, &str)] = match service {
        "user-svc" => &[
            ("PASSWORD_PEPPER", "password-pepper"),
            ("SIGNING_SEAL_KEY", "signing-seal-key"),
            ("LINK_SEAL_KEY", "link-seal-key"),
        ],
        "ticket-svc" => &[
            ("HOLD_KEYS", "hold-keys"),
            ("TICKET_CODE_KEYS", "ticket-code-keys"),
        ],
        "payment-svc" => &[
            ("ORDER_KEYS", "order-keys"),
            ("LINK_SEAL_KEY", "link-seal-key"),
            ("SANDBOX_WEBHOOK_SECRET", "sandbox-webhook-secret"),
        ],
        "notify-svc" => &[("LINK_SEAL_KEY", "link-seal-key")],
        _ => &[],
    };
    for (setting, secret) in keys {
        program.env(setting, office.secret(secret)?);
    }
    let database = match service {
        "user-svc" => "users",
        "ticket-svc" => "tickets",
        "payment-svc" => "payments",
        "notify-svc" => "notifications",
        _ => return Ok(program),
    };
    program
        .env("DATABASE_URL", office.database(database)?)
        .env("NATS_URL", &office.facts.nats_url)
        .env("MAIL_DIR", office.start.data_dir.join("mails"))
        .env("HANDED_OVER_DIR", office.start.data_dir.join("handed-over"));
    Ok(program)
}
