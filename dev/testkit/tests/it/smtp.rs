use std::time::Duration;
use testkit::{Message, Smtp};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const LIMIT: Duration = Duration::from_secs(5);

/// Sends all lines at once and returns everything the sink said.
async fn talk(sink: &Smtp, lines: &[&str]) -> String {
    let url = sink.url();
    let mut socket = TcpStream::connect(url.strip_prefix("smtp://").unwrap())
        .await
        .unwrap();
    let text: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    socket.write_all(text.as_bytes()).await.unwrap();
    let mut said = String::new();
    socket.read_to_string(&mut said).await.unwrap();
    said
}

const MAIL: [&str; 10] = [
    "EHLO me",
    "AUTH PLAIN AGEAYg==",
    "MAIL FROM:<shop@example.org> SIZE=12",
    "RCPT TO:<guest@example.org>",
    "DATA",
    "Subject: hi",
    "",
    "..two dots",
    ".",
    "QUIT",
];

#[tokio::test]
async fn keeps_what_it_gets() {
    let sink = Smtp::start().await;
    talk(&sink, &MAIL).await;
    let expected = Message {
        from: "shop@example.org".to_owned(),
        to: vec!["guest@example.org".to_owned()],
        data: "Subject: hi\r\n\r\n.two dots\r\n".to_owned(),
    };
    assert_eq!(sink.wait_for(1, LIMIT).await, [expected]);
}

#[tokio::test]
async fn refuses_on_demand() {
    let sink = Smtp::start().await;
    sink.refuse_next(451, 1);
    assert!(talk(&sink, &MAIL).await.contains("\r\n451 "));
    assert_eq!(sink.messages(), []);
    assert!(talk(&sink, &MAIL).await.contains("\r\n250 kept"));
    assert_eq!(sink.messages().len(), 1);
}

#[tokio::test]
async fn reset_forgets_the_recipients() {
    let sink = Smtp::start().await;
    let said = talk(
        &sink,
        &["MAIL FROM:<a@b>", "RCPT TO:<c@d>", "RSET", "DATA", "QUIT"],
    )
    .await;
    assert!(said.contains("503 "), "{said}");
    assert_eq!(sink.messages(), []);
}
