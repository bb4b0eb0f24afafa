//! The random keys of one installation, made at its first start.

use base::Secret;
use embedded::{Secrets, random_secret};
use kit::MeshKey;
use proto::Peer;

/// What the services are given. Each is a setting of the service that uses it.
#[derive(Clone, Debug)]
pub struct Keys {
    pub mesh: MeshKey,
    pub mesh_setting: Secret,
    pub setup_token: Secret,
    pub password_pepper: Secret,
    pub signing_seal: Secret,
    pub holds: Secret,
    pub ticket_codes: Secret,
    pub orders: Secret,
    pub link_seal: Secret,
    pub sandbox_webhook: Secret,
}

impl Keys {
    /// Reads the keys, and makes those that are not there yet.
    pub fn open(secrets: &Secrets) -> anyhow::Result<Self> {
        let keys = Self::read(|name, first| secrets.get_or_create(name, first))?;
        // People use grpcurl with this; see the lines that a start prints.
        let operator = keys.mesh.identity(Peer::Operator).credential().to_owned();
        secrets.get_or_create(OPERATOR_CREDENTIAL, || operator)?;
        Ok(keys)
    }

    /// All but the key by which services on one machine know each other, as settings of the services.
    pub fn settings(&self) -> [(&'static str, &Secret); 8] {
        [
            ("SETUP_TOKEN", &self.setup_token),
            ("PASSWORD_PEPPER", &self.password_pepper),
            ("SIGNING_SEAL_KEY", &self.signing_seal),
            ("HOLD_KEYS", &self.holds),
            ("TICKET_CODE_KEYS", &self.ticket_codes),
            ("ORDER_KEYS", &self.orders),
            ("LINK_SEAL_KEY", &self.link_seal),
            ("SANDBOX_WEBHOOK_SECRET", &self.sandbox_webhook),
        ]
    }

    /// `stored` answers the value of a name, and makes it with the given function at the first time.
    pub(crate) fn read(
        stored: impl Fn(&str, fn() -> String) -> anyhow::Result<String>,
    ) -> anyhow::Result<Self> {
        let random = |name: &str| stored(name, random_secret).map(Secret::new);
        let ring = |name: &str| stored(name, || format!("k1:{}", random_secret())).map(Secret::new);
        let mesh_setting = random("mesh-key")?;
        let mesh: MeshKey = mesh_setting.expose().parse()?;
        Ok(Self {
            mesh,
            mesh_setting,
            setup_token: random("setup-token")?,
            password_pepper: ring("password-pepper")?,
            signing_seal: random("signing-seal-key")?,
            holds: ring("hold-keys")?,
            ticket_codes: ring("ticket-code-keys")?,
            orders: ring("order-keys")?,
            link_seal: random("link-seal-key")?,
            sandbox_webhook: random("sandbox-webhook-secret")?,
        })
    }
}

/// Name of the secret with which a person may call what the contracts open to operators.
pub const OPERATOR_CREDENTIAL: &str = "operator-credential";
