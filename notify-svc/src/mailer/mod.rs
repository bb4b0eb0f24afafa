//! Where mails go: to a mail server, or into a folder.

mod dialogue;
mod error;
mod folder;
mod server;
mod smtp;
mod wire;

use lettre::{Address, Message, address::Envelope, message::Mailbox};
use uuid::Uuid;

use crate::Config;
pub(crate) use error::{Class, MailError};
use folder::Folder;
use server::Server;
use smtp::Smtp;

/// The right side of a Message-ID where the sender's address has no name on the internet.
const NO_DOMAIN: &str = "boxoffice";
/// In BOUNCE_ADDRESS: here stands the notification's id.
const VERP_MARK: &str = "*";

pub(crate) struct Mailer {
    pub from: Mailbox,
    bounce_address: Option<String>,
    way: Way,
}

/// A mail that can go out.
pub(crate) enum Ready {
    Line(Box<smtp::Ready>),
    File(Uuid, Vec<u8>),
}

enum Way {
    Smtp(Smtp),
    Folder(Folder),
}

impl Mailer {
    pub fn new(config: &Config) -> anyhow::Result<Self> {
        let way = match (&config.smtp_url, &config.mail_dir) {
            (Some(url), _) => Way::Smtp(Smtp::new(Server::read(
                url,
                config.smtp_ca_file.as_deref(),
            )?)),
            (None, Some(folder)) => Way::Folder(Folder::new(folder)?),
            (None, None) => anyhow::bail!("one of SMTP_URL and MAIL_DIR is needed"),
        };
        let mailer = Self {
            from: config.mail_from.clone(),
            bounce_address: config.bounce_address.clone(),
            way,
        };
        anyhow::ensure!(
            mailer.envelope_from(Uuid::nil()).is_some(),
            "BOUNCE_ADDRESS is no mail address"
        );
        Ok(mailer)
    }

    /// What stands behind the @ of every Message-ID.
    pub fn domain(&self) -> &str {
        let domain = self.from.email.domain();
        if domain.contains('.') {
            domain
        } else {
            NO_DOMAIN
        }
    }

    /// Everything up to the mail itself: what is refused here was not sent.
    pub async fn prepare(&self, notification: Uuid, mail: &Message) -> Result<Ready, MailError> {
        match &self.way {
            Way::Smtp(smtp) => {
                let from = self.envelope_from(notification);
                let envelope = Envelope::new(from, mail.envelope().to().to_vec());
                let envelope = envelope.map_err(|error| MailError::content(&error))?;
                // On the heap: a TLS handshake is a large future.
                let ready = Box::pin(smtp.prepare(&envelope, mail.formatted())).await?;
                Ok(Ready::Line(Box::new(ready)))
            }
            // The same mail is one file each time.
            Way::Folder(_) => Ok(Ready::File(notification, mail.formatted())),
        }
    }

    pub async fn hand_over(&self, ready: Ready) -> Result<(), MailError> {
        match (&self.way, ready) {
            (Way::Smtp(smtp), Ready::Line(ready)) => Box::pin(smtp.hand_over(*ready)).await,
            (Way::Folder(folder), Ready::File(id, mail)) => folder.write(id, mail).await,
            _ => Err(MailError::content(&"it was prepared for another way")),
        }
    }

    /// Says goodbye to the mail server.
    pub async fn close(&self) {
        if let Way::Smtp(smtp) = &self.way {
            smtp.close().await;
        }
    }

    /// Where the mail goes back to if it cannot be delivered.
    fn envelope_from(&self, notification: Uuid) -> Option<Address> {
        match &self.bounce_address {
            None => Some(self.from.email.clone()),
            Some(address) => {
                let id = notification.simple().to_string();
                address.replacen(VERP_MARK, &id, 1).parse().ok()
            }
        }
    }
}
