//! One mail over one line, command by command, each with a time of its own.

use std::time::Duration;

use lettre::{
    Address,
    address::Envelope,
    transport::smtp::{
        self,
        authentication::Mechanism,
        client::AsyncSmtpConnection,
        commands::{Data, Mail, Quit, Rcpt, Rset},
        extension::{Extension, MailBodyParameter, MailParameter},
    },
};

use super::{
    Class, MailError,
    error::ends_the_line,
    server::{Server, Tls},
    wire,
};

const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);
/// A server may look into a mail before it answers.
const CONTENT_TIMEOUT: Duration = Duration::from_secs(60);
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Line, TLS, greeting, login.
    Connect,
    Sender,
    Recipient,
    Data,
    /// The mail itself. From here on it may arrive.
    Content,
}

impl Step {
    pub const fn what(self) -> &'static str {
        match self {
            Self::Connect => "to connect",
            Self::Sender => "over the sender",
            Self::Recipient => "over the recipient",
            Self::Data => "before the mail",
            Self::Content => "over the mail",
        }
    }

    const fn limit(self) -> Duration {
        match self {
            Self::Content => CONTENT_TIMEOUT,
            Self::Connect | Self::Sender | Self::Recipient | Self::Data => COMMAND_TIMEOUT,
        }
    }
}

/// A line to the mail server, logged in.
pub(super) struct Line {
    connection: AsyncSmtpConnection,
    /// It can carry another mail.
    pub usable: bool,
}

impl Line {
    pub async fn open(server: &Server) -> Result<Self, MailError> {
        let step = Step::Connect;
        match tokio::time::timeout(step.limit(), connect(server)).await {
            Ok(connection) => Ok(Self {
                connection: connection?,
                usable: true,
            }),
            Err(_) => Err(MailError::too_late(step)),
        }
    }

    /// The sender of the mail that follows.
    pub async fn begin(&mut self, envelope: &Envelope, mail: &[u8]) -> Result<(), MailError> {
        let parameters = self.parameters(envelope, mail)?;
        let sender = Mail::new(envelope.from().cloned(), parameters);
        self.command(Step::Sender, None, sender).await
    }

    /// Its recipients. The server waits for the mail afterwards.
    pub async fn address(&mut self, envelope: &Envelope) -> Result<(), MailError> {
        for recipient in envelope.to() {
            let command = Rcpt::new(recipient.clone(), Vec::new());
            self.command(Step::Recipient, Some(recipient), command)
                .await?;
        }
        self.command(Step::Data, None, Data).await
    }

    pub async fn content(&mut self, mail: &[u8]) -> Result<(), MailError> {
        let step = Step::Content;
        let sent = tokio::time::timeout(step.limit(), self.connection.message(mail)).await;
        self.heard(step, None, sent.ok()).await
    }

    fn parameters(
        &self,
        envelope: &Envelope,
        mail: &[u8],
    ) -> Result<Vec<MailParameter>, MailError> {
        let server = self.connection.server_info();
        let mut parameters = Vec::new();
        let mut addresses = envelope.to().iter().chain(envelope.from());
        if !addresses.all(|address| AsRef::<str>::as_ref(address).is_ascii()) {
            if !server.supports_feature(Extension::SmtpUtfEight) {
                let why = "the mail server takes no address with such letters (SMTPUTF8)";
                return Err(MailError::new(Class::Permanent, &why));
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        if !mail.is_ascii() && server.supports_feature(Extension::EightBitMime) {
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        Ok(parameters)
    }

    async fn command<C: std::fmt::Display>(
        &mut self,
        step: Step,
        recipient: Option<&Address>,
        c: C,
    ) -> Result<(), MailError> {
        let answer = tokio::time::timeout(step.limit(), self.connection.command(c)).await;
        self.heard(step, recipient, answer.ok()).await
    }

    async fn heard<T>(
        &mut self,
        step: Step,
        recipient: Option<&Address>,
        answer: Option<Result<T, smtp::Error>>,
    ) -> Result<(), MailError> {
        match answer {
            Some(Ok(_)) => Ok(()),
            Some(Err(error)) => {
                self.usable = !ends_the_line(&error) && self.reset().await;
                Err(MailError::at(step, recipient, &error))
            }
            None => {
                self.usable = false;
                Err(MailError::too_late(step))
            }
        }
    }

    /// Makes the server forget the mail that it refused.
    async fn reset(&mut self) -> bool {
        let reset = self.connection.command(Rset);
        matches!(
            tokio::time::timeout(COMMAND_TIMEOUT, reset).await,
            Ok(Ok(_))
        )
    }

    /// A server that does not answer is left alone.
    pub async fn close(mut self) {
        let goodbye = self.connection.command(Quit);
        drop(tokio::time::timeout(GOODBYE_TIMEOUT, goodbye).await);
    }
}

async fn connect(server: &Server) -> Result<AsyncSmtpConnection, MailError> {
    let step = Step::Connect;
    let failed = |error: &smtp::Error| MailError::at(step, None, error);
    let wrapping = match &server.tls {
        Tls::Wrapped(wrapping) => Some(wrapping),
        Tls::Off | Tls::Offered(_) | Tls::Required(_) => None,
    };
    let wire = wire::connect((server.host.as_str(), server.port), wrapping).await;
    let wire = wire.map_err(|error| MailError::unreachable(&error))?;
    let connection = AsyncSmtpConnection::connect_with_transport(wire, &server.hello).await;
    let mut connection = connection.map_err(|error| failed(&error))?;
    let upgrade = match &server.tls {
        Tls::Required(parameters) => Some(parameters),
        Tls::Offered(parameters) if connection.can_starttls() => Some(parameters),
        Tls::Off | Tls::Offered(_) | Tls::Wrapped(_) => None,
    };
    if let Some(parameters) = upgrade {
        let upgraded = connection.starttls(parameters.clone(), &server.hello).await;
        upgraded.map_err(|error| failed(&error))?;
    }
    if let Some(credentials) = &server.credentials {
        let ways = [Mechanism::Plain, Mechanism::Login];
        let login = connection.auth(&ways, credentials).await;
        login.map_err(|error| failed(&error))?;
    }
    Ok(connection)
}
