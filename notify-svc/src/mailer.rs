//! Where mails go: to a mail server, or into a folder.

use std::{io, path::PathBuf, time::Duration};

use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    message::Mailbox,
    transport::smtp::{self, response::Category},
};

use crate::Config;

/// For one command and its answer.
const SMTP_TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) struct Mailer {
    pub from: Mailbox,
    way: Way,
}

enum Way {
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
    Folder(PathBuf),
}

/// Why a mail was not accepted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MailError {
    /// It may be accepted later, or even was.
    #[error("{0}")]
    Temporary(String),
    /// It never will be.
    #[error("{0}")]
    Permanent(String),
}

impl Mailer {
    pub fn new(config: &Config) -> anyhow::Result<Self> {
        let way = match (&config.smtp_url, &config.mail_dir) {
            (Some(url), _) => {
                let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url.expose())
                    // The error would repeat the password.
                    .map_err(|_| anyhow::anyhow!("SMTP_URL is not a usable address"))?;
                Way::Smtp(transport.timeout(Some(SMTP_TIMEOUT)).build())
            }
            (None, Some(folder)) => {
                std::fs::create_dir_all(folder)?;
                Way::Folder(folder.clone())
            }
            (None, None) => anyhow::bail!("one of SMTP_URL and MAIL_DIR is needed"),
        };
        Ok(Self {
            from: config.mail_from.clone(),
            way,
        })
    }

    /// `name` is the same for the same mail, so that writing it again leaves one file.
    pub async fn send(&self, name: &str, mail: Message) -> Result<(), MailError> {
        match &self.way {
            Way::Smtp(transport) => transport
                .send(mail)
                .await
                .map(drop)
                .map_err(MailError::from),
            Way::Folder(folder) => write(folder.join(format!("{name}.eml")), mail.formatted())
                .await
                .map_err(|error| MailError::Temporary(error.to_string())),
        }
    }
}

/// A reader of the folder sees the whole mail or none.
async fn write(path: PathBuf, bytes: Vec<u8>) -> io::Result<()> {
    let unfinished = path.with_extension("tmp");
    tokio::fs::write(&unfinished, bytes).await?;
    tokio::fs::rename(unfinished, path).await
}

impl From<smtp::Error> for MailError {
    fn from(error: smtp::Error) -> Self {
        // 53x is about our account at the server, and says nothing about the mail.
        let account = error
            .status()
            .is_some_and(|code| code.category == Category::Unspecified3);
        if error.is_permanent() && !account {
            Self::Permanent(error.to_string())
        } else {
            Self::Temporary(error.to_string())
        }
    }
}
