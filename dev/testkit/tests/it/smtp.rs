use std::time::Duration;
use testkit::{Message, Smtp};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const LIMIT: Duration = Duration::from_secs(60);

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

#[tokio::test]
async fn keeps_a_mail_whose_answer_it_swallows() {
    let sink = Smtp::start().await;
    sink.cut_next(1);
    let said = talk(&sink, &MAIL).await;
    assert!(said.ends_with("354 go on\r\n"), "{said}");
    assert_eq!(sink.messages().len(), 1);
}

#[tokio::test]
async fn keeps_a_mail_and_says_so_late() {
    let sink = Smtp::start().await;
    sink.delay_next(Duration::from_millis(200), 1);
    let started = std::time::Instant::now();
    assert!(talk(&sink, &MAIL).await.contains("\r\n250 kept"));
    assert!(started.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn sends_a_recipient_away_once() {
    let sink = Smtp::start().await;
    sink.greylist(true);
    assert!(talk(&sink, &MAIL).await.contains("\r\n450 "));
    assert_eq!(sink.messages(), []);
    talk(&sink, &MAIL).await;
    assert_eq!(sink.messages().len(), 1);
}
