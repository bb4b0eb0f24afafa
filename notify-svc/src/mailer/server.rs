//! Where the mail server is, and how the line to it is protected.

use std::{net::IpAddr, path::Path};

use anyhow::Context as _;
use base::Secret;
use lettre::transport::smtp::{
    authentication::Credentials,
    client::{Certificate, CertificateStore, TlsParameters},
    extension::ClientId,
};
use url::{Host, Url};

use super::wire::Wrapping;

const PORT_PLAIN: u16 = 25;
const PORT_SUBMISSION: u16 = 587;
const PORT_TLS: u16 = 465;

/// `smtp://user:password@host:port/name?tls=…` or `smtps://…`. The path names us in EHLO.
pub(super) struct Server {
    pub host: String,
    pub port: u16,
    pub tls: Tls,
    pub credentials: Option<Credentials>,
    pub hello: ClientId,
}

pub(super) enum Tls {
    /// Never.
    Off,
    /// STARTTLS where the server offers it: nobody who only listens reads along.
    Offered(TlsParameters),
    /// STARTTLS, or no mail.
    Required(TlsParameters),
    /// From the first byte.
    Wrapped(Wrapping),
}

impl Server {
    /// `ca_file`: certificates (PEM) that are trusted beside the public ones.
    pub fn read(url: &Secret, ca_file: Option<&Path>) -> anyhow::Result<Self> {
        // An error with the address in it would repeat the password.
        let unusable = "SMTP_URL is not a usable address";
        let url: Url = url.expose().parse().ok().context(unusable)?;
        let host = url.host().context(unusable)?;
        let credentials = credentials(&url).context(unusable)?;
        let trusted = ca_file.map(std::fs::read).transpose();
        let trusted = trusted.context("SMTP_CA_FILE cannot be read")?;
        let mut parameters =
            TlsParameters::builder(name(&host)).certificate_store(CertificateStore::WebpkiRoots);
        if let Some(pem) = &trusted {
            let trusted = Certificate::from_pem(pem).context("SMTP_CA_FILE is no certificate")?;
            parameters = parameters.add_root_certificate(trusted);
        }
        let parameters = || parameters.build().context("SMTP_URL: TLS cannot be set up");
        let asked = url.query_pairs().find(|(name, _)| name == "tls");
        let asked = asked.as_ref().map(|(_, value)| value.as_ref());
        let (tls, port) = match (url.scheme(), asked) {
            ("smtps", None) => {
                let wrapping = Wrapping::new(&name(&host), trusted.as_deref());
                let wrapping = wrapping.context("SMTP_URL: TLS cannot be set up")?;
                (Tls::Wrapped(wrapping), PORT_TLS)
            }
            ("smtp", Some("required")) => (Tls::Required(parameters()?), PORT_SUBMISSION),
            ("smtp", Some("opportunistic")) => (Tls::Offered(parameters()?), PORT_SUBMISSION),
            ("smtp", Some("none")) => (Tls::Off, PORT_PLAIN),
            ("smtp", None) if is_loopback(&host) => (Tls::Off, PORT_PLAIN),
            // A password goes over no line that can be read.
            ("smtp", None) if credentials.is_some() => {
                (Tls::Required(parameters()?), PORT_SUBMISSION)
            }
            ("smtp", None) => (Tls::Offered(parameters()?), PORT_PLAIN),
            _ => anyhow::bail!(
                "SMTP_URL must begin with smtp:// or smtps://, and its `tls` be required, opportunistic or none"
            ),
        };
        Ok(Self {
            host: name(&host),
            port: url.port().unwrap_or(port),
            tls,
            credentials,
            hello: match url.path().trim_matches('/') {
                "" => ClientId::default(),
                name => ClientId::Domain(name.to_owned()),
            },
        })
    }
}

/// Without the brackets of an IPv6 address.
fn name(host: &Host<&str>) -> String {
    match host {
        Host::Domain(name) => (*name).to_owned(),
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => address.to_string(),
    }
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => {
            *name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
        }
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

/// Outer None: there are some, and they cannot be read.
fn credentials(url: &Url) -> Option<Option<Credentials>> {
    let Some(password) = url.password() else {
        return Some(None);
    };
    let user = decoded(url.username())?;
    Some(Some(Credentials::new(user, decoded(password)?)))
}

/// Reverses percent-encoding.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next()?, rest.next()?];
        let digits = std::str::from_utf8(&digits).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(url: &str) -> anyhow::Result<Server> {
        Server::read(&Secret::new(url), None)
    }

    #[test]
    fn the_line_is_as_safe_as_the_address_says() {
        let shape = |url: &str| {
            let server = server(url).unwrap();
            let tls = match server.tls {
                Tls::Off => "off",
                Tls::Offered(_) => "offered",
                Tls::Required(_) => "required",
                Tls::Wrapped(_) => "wrapped",
            };
            (tls, server.port)
        };
        for (url, tls, port) in [
            ("smtp://127.0.0.1:1025", "off", 1025),
            ("smtp://user:pass@localhost", "off", 25),
            ("smtp://[::1]", "off", 25),
            ("smtp://relay.example", "offered", 25),
            ("smtp://user:pass@relay.example", "required", 587),
            ("smtp://user:pass@relay.example:2525", "required", 2525),
            ("smtp://user:pass@relay.example?tls=none", "off", 25),
            ("smtp://relay.example?tls=required", "required", 587),
            ("smtp://relay.example:25?tls=opportunistic", "offered", 25),
            ("smtps://user:pass@relay.example", "wrapped", 465),
        ] {
            assert_eq!(shape(url), (tls, port), "{url}");
        }
    }

    #[test]
    fn an_unusable_address_is_refused_without_its_password() {
        for url in [
            "http://user:canary@relay.example",
            "smtp://user:canary@relay.example?tls=maybe",
            "smtps://user:canary@relay.example?tls=none",
            "smtp://user:canary%zz@relay.example",
            "smtp:user:canary",
            "canary",
        ] {
            let error = format!("{:#}", server(url).err().unwrap());
            assert!(
                error.contains("SMTP_URL") && !error.contains("canary"),
                "{error}"
            );
        }
    }

    #[test]
    fn names_and_passwords_may_hold_any_letter() {
        assert_eq!(decoded("a%40b%C3%BC").unwrap(), "a@bü");
        assert_eq!(decoded("100%"), None);
        let server = server("smtp://u:p@relay.example/mail.nightjar.example").unwrap();
        assert!(matches!(server.hello, ClientId::Domain(name) if name == "mail.nightjar.example"));
    }
}
