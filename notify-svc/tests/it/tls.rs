//! The line to the mail server is protected, or no mail goes over it.

use std::{slice::from_ref, sync::Arc};

use base::Secret;
use testkit::eventually;
use tokio::{
    io::{
        AsyncBufRead, AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader,
    },
    net::{TcpListener, TcpStream},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, pki_types::PrivateKeyDer},
};

use crate::harness::{Harness, LIMIT};

/// A mail server of one's own, whose certificate no public authority knows.
struct Server {
    port: u16,
    certificate_pem: String,
    /// What it heard, with `tls ` before it where nobody could read along.
    heard: UnboundedReceiver<String>,
}

#[derive(Clone, Copy, PartialEq)]
enum Offers {
    Nothing,
    StartTls,
    /// From the first byte.
    Tls,
}

impl Server {
    async fn start(offers: Offers) -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let (acceptor, listener) = (
            TlsAcceptor::from(Arc::new(config)),
            TcpListener::bind("127.0.0.1:0").await.unwrap(),
        );
        let (tell, heard) = unbounded_channel();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, acceptor.clone(), offers, tell.clone()));
            }
        });
        Self {
            port,
            certificate_pem: made.cert.pem(),
            heard,
        }
    }

    fn heard(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.heard.try_recv().ok()).collect()
    }
}

async fn serve(
    socket: TcpStream,
    acceptor: TlsAcceptor,
    offers: Offers,
    tell: UnboundedSender<String>,
) {
    if offers == Offers::Tls {
        if let Ok(line) = acceptor.accept(socket).await {
            talk(BufReader::new(line), true, offers, &tell).await;
        }
        return;
    }
    let plain = talk(BufReader::new(socket), false, offers, &tell).await;
    if let Some(plain) = plain
        && let Ok(line) = acceptor.accept(plain.into_inner()).await
    {
        talk(BufReader::new(line), true, offers, &tell).await;
    }
}

/// The line, if it is to be protected now.
async fn talk<L: AsyncRead + AsyncWrite + Unpin>(
    mut line: BufReader<L>,
    protected: bool,
    offers: Offers,
    tell: &UnboundedSender<String>,
) -> Option<BufReader<L>>
where
    BufReader<L>: AsyncBufRead,
{
    if !protected || offers == Offers::Tls {
        line.write_all(b"220 server\r\n").await.ok()?;
    }
    let mut in_mail = false;
    loop {
        let mut said = String::new();
        if line.read_line(&mut said).await.ok()? == 0 {
            return None;
        }
        let said = said.trim_end();
        let word = said.split([' ', ':']).next().unwrap_or_default();
        if in_mail {
            in_mail = said != ".";
            if in_mail {
                continue;
            }
        } else {
            let kept = if protected { "tls " } else { "" };
            tell.send(format!("{kept}{word}")).ok()?;
        }
        let answer = match word {
            "EHLO" if offers == Offers::StartTls && !protected => "250-server\r\n250 STARTTLS",
            "EHLO" => "250-server\r\n250 AUTH PLAIN",
            "STARTTLS" => {
                line.write_all(b"220 go ahead\r\n").await.ok()?;
                line.flush().await.ok()?;
                return Some(line);
            }
            "AUTH" => "235 welcome",
            "DATA" => {
                in_mail = true;
                "354 go on"
            }
            _ => "250 ok",
        };
        line.write_all(format!("{answer}\r\n").as_bytes())
            .await
            .ok()?;
        line.flush().await.ok()?;
    }
}

/// A service with this mail server, `{}` being its port; with or without the server's certificate.
async fn with(server: &Server, url: &str, trusted: bool) -> Harness {
    let mut harness = Harness::stopped().await;
    let url = url.replace("{}", &server.port.to_string());
    harness.config.smtp_url = Some(Secret::new(url));
    if trusted {
        let name = format!("boxoffice-ca-{}.pem", harness.sources.token());
        let file = std::env::temp_dir().join(name);
        std::fs::write(&file, &server.certificate_pem).unwrap();
        harness.config.smtp_ca_file = Some(file);
    }
    harness.run().await;
    harness
}

#[tokio::test]
async fn a_mail_goes_over_a_protected_line() {
    for (offers, url) in [
        (
            Offers::StartTls,
            "smtp://user:pass@localhost:{}?tls=required",
        ),
        (Offers::StartTls, "smtp://localhost:{}?tls=opportunistic"),
        (Offers::Tls, "smtps://user:pass@localhost:{}"),
    ] {
        let mut server = Server::start(offers).await;
        let harness = with(&server, url, true).await;
        let envelope = harness.envelope();
        harness.accept(from_ref(&envelope)).await;
        harness.reaches(&envelope, "sent", 1).await;
        let heard = server.heard();
        for word in ["AUTH", "MAIL", "RCPT", "DATA"] {
            assert!(
                !heard.contains(&word.to_owned()),
                "{word} in the clear: {heard:?}"
            );
        }
        assert!(heard.contains(&"tls DATA".to_owned()), "{heard:?}");
        assert_eq!(heard.contains(&"tls AUTH".to_owned()), url.contains("user"));
        harness.check_invariants(0).await;
    }
}

#[tokio::test]
async fn without_protection_no_password_and_no_mail_is_said() {
    for (offers, url, trusted) in [
        // It offers none: somebody between may have taken the offer out.
        (
            Offers::Nothing,
            "smtp://user:pass@localhost:{}?tls=required",
            true,
        ),
        // It is somebody else, or says so.
        (
            Offers::StartTls,
            "smtp://user:pass@localhost:{}?tls=required",
            false,
        ),
        (
            Offers::StartTls,
            "smtp://user:pass@127.0.0.1:{}?tls=required",
            true,
        ),
        (Offers::Tls, "smtps://user:pass@localhost:{}", false),
    ] {
        let mut server = Server::start(offers).await;
        let harness = with(&server, url, trusted).await;
        let envelope = harness.envelope();
        harness.accept(from_ref(&envelope)).await;
        eventually("it is put back", LIMIT, async || {
            let now = harness.notification(&envelope).await;
            (now.status == "queued" && now.attempts > 0).then_some(())
        })
        .await;
        let heard = server.heard();
        let said = |word: &str| heard.iter().any(|heard| heard.ends_with(word));
        assert!(!said("AUTH") && !said("MAIL"), "{url}: {heard:?}");
        harness.check_invariants(0).await;
    }
}
