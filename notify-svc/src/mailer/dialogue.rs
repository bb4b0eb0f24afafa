//! One mail over one line, command by command, each with a time of its own.

use std::{future::Future, time::Duration};

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
        let mut line = Self {
            connection: timed(Step::Connect, connect(server)).await?,
            usable: true,
        };
        if let Some(credentials) = &server.credentials {
            let ways = [Mechanism::Plain, Mechanism::Login];
            let login = line.connection.auth(&ways, credentials);
            timed(Step::Connect, login).await?;
        }
        Ok(line)
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

async fn connect(server: &Server) -> Result<AsyncSmtpConnection, smtp::Error> {
    let wrapped = match &server.tls {
        Tls::Wrapped(parameters) => Some(parameters.clone()),
        Tls::Off | Tls::Offered(_) | Tls::Required(_) => None,
    };
    let address = (server.host.as_str(), server.port);
    let mut connection = AsyncSmtpConnection::connect_tokio1(
        address,
        Some(COMMAND_TIMEOUT),
        &server.hello,
        wrapped,
        None,
    )
    .await?;
    match &server.tls {
        Tls::Required(parameters) => {
            connection
                .starttls(parameters.clone(), &server.hello)
                .await?;
        }
        Tls::Offered(parameters) if connection.can_starttls() => {
            connection
                .starttls(parameters.clone(), &server.hello)
                .await?;
        }
        Tls::Off | Tls::Offered(_) | Tls::Wrapped(_) => {}
    }
    Ok(connection)
}

async fn timed<T>(
    step: Step,
    work: impl Future<Output = Result<T, smtp::Error>>,
) -> Result<T, MailError> {
    match tokio::time::timeout(step.limit(), work).await {
        Ok(outcome) => outcome.map_err(|error| MailError::at(step, None, &error)),
        Err(_) => Err(MailError::too_late(step)),
    }
}
