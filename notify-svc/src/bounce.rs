//! Mails that came back: what a returned mail says (RFC 3464), and what follows from it.
//!
//! A report is believed if it names a mail of ours: its Message-ID, or the id in the address that it came
//! back to, has 74 random bits that only who has the mail can know.

use base::digest;
use db::DbError;
use mail_parser::{Address, MessageParser, MimeHeaders as _, PartType};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{app::App, error::Error, mailer::Class};

pub(crate) const REPORT_MAX_BYTES: usize = 128 * 1024;
const DETAIL_BYTES: usize = 1_024;
const ACTION_BYTES: usize = 64;
const FAILED: &str = "failed";
const UNREADABLE: &str = "it came back, and what the mail server says about it cannot be read";
/// Who sends mails back, before the @.
const MAIL_SERVERS: [&str; 2] = ["mailer-daemon", "postmaster"];
/// In the subject of a mail that says that another one takes long.
const WARNINGS: [&str; 3] = ["warning", "delay", "still being retried"];
/// Where a mail server writes the address that a mail really went to.
const ARRIVED_AT: [&str; 4] = ["Delivered-To", "X-Original-To", "Envelope-To", "To"];

/// What a returned mail says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub digest: [u8; 32],
    /// None where it names no mail of ours.
    pub notification: Option<Uuid>,
    /// `failed`, `delayed`, `delivered`, …
    pub action: String,
    /// The status and the words of the server that sent it back; up to 1024 bytes.
    pub detail: String,
}

impl Report {
    /// None if it is not a report about the delivery of a mail.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mail = MessageParser::default().parse(bytes)?;
        let status = mail.parts.iter().find(|part| {
            part.content_type().is_some_and(|kind| {
                kind.ctype().eq_ignore_ascii_case("message")
                    && kind.subtype().is_some_and(|sub| {
                        sub.eq_ignore_ascii_case("delivery-status")
                            || sub.eq_ignore_ascii_case("global-delivery-status")
                    })
            })
        })?;
        let status = match &status.body {
            PartType::Text(text) | PartType::Html(text) => text.to_string(),
            PartType::Binary(bytes) | PartType::InlineBinary(bytes) => {
                String::from_utf8_lossy(bytes).into_owned()
            }
            PartType::Message(_) | PartType::Multipart(_) => return None,
        };
        let fields = Fields::read(&status);
        let words = [fields.last("Status"), fields.last("Diagnostic-Code")];
        let words: Vec<&str> = words.into_iter().flatten().collect();
        Some(Self {
            digest: digest(bytes),
            notification: arrived_at(&mail).or_else(|| quoted(bytes)),
            action: cut(&fields.last("Action")?.to_ascii_lowercase(), ACTION_BYTES),
            detail: cut(&words.join(" "), DETAIL_BYTES),
        })
    }

    /// Of a mail that came back without a report that can be read, where its address names one of ours. None of what
    /// a person or their calendar answers: that comes to the same address, from theirs.
    pub fn unreadable(bytes: &[u8]) -> Option<Self> {
        let mail = MessageParser::default().parse(bytes)?;
        if !is_a_mail_servers(&mail) || is_a_warning(&mail) {
            return None;
        }
        Some(Self {
            digest: digest(bytes),
            notification: Some(arrived_at(&mail)?),
            action: FAILED.to_owned(),
            detail: UNREADABLE.to_owned(),
        })
    }

    /// Only this ends it: whatever else a server reports is news on the way.
    fn is_final(&self) -> bool {
        self.action == FAILED
    }
}

/// Lines `Name: value`, continued by lines that begin with white space (RFC 822).
struct Fields(Vec<(String, String)>);

impl Fields {
    fn read(text: &str) -> Self {
        let mut fields: Vec<(String, String)> = Vec::new();
        for line in text.lines() {
            if line.starts_with([' ', '\t']) {
                if let Some((_, value)) = fields.last_mut() {
                    value.push(' ');
                    value.push_str(line.trim());
                }
            } else if let Some((name, value)) = line.split_once(':') {
                fields.push((name.trim().to_owned(), value.trim().to_owned()));
            }
        }
        Self(fields)
    }

    /// A report is about one mail of ours, and so about one recipient.
    fn last(&self, name: &str) -> Option<&str> {
        let field = self
            .0
            .iter()
            .rev()
            .find(|(n, _)| n.eq_ignore_ascii_case(name));
        field.map(|(_, value)| value.as_str())
    }
}

/// A report on a delivery even if it is cut short, and otherwise what a mail server writes in its own words. A report
/// on anything else, such as that a mail was read, is none.
fn is_a_mail_servers(mail: &mail_parser::Message<'_>) -> bool {
    let kind = mail.content_type();
    if let Some(about) = kind.and_then(|kind| kind.attribute("report-type")) {
        return about.eq_ignore_ascii_case("delivery-status");
    }
    let from = mail.from().and_then(Address::first);
    let from = from
        .and_then(mail_parser::Addr::address)
        .unwrap_or_default();
    let (local, _) = from.split_once('@').unwrap_or((from, ""));
    MAIL_SERVERS
        .iter()
        .any(|server| local.eq_ignore_ascii_case(server))
}

/// It is still being tried: no end yet.
fn is_a_warning(mail: &mail_parser::Message<'_>) -> bool {
    let subject = mail.subject().unwrap_or_default().to_ascii_lowercase();
    WARNINGS.iter().any(|word| subject.contains(word))
}

/// The id in the address that the report came to, where BOUNCE_ADDRESS asks for one.
fn arrived_at(mail: &mail_parser::Message<'_>) -> Option<Uuid> {
    let headers = ARRIVED_AT.iter().filter_map(|name| mail.header(*name));
    let texts = headers.filter_map(|value| match value {
        mail_parser::HeaderValue::Address(Address::List(list)) => {
            list.first()?.address.as_ref().map(ToString::to_string)
        }
        value => value.as_text().map(ToOwned::to_owned),
    });
    texts.filter_map(|text| id_in(&text)).next()
}

/// A run of 32 hexadecimal digits.
fn id_in(text: &str) -> Option<Uuid> {
    let mut runs = text.split(|c: char| !c.is_ascii_hexdigit());
    runs.find(|run| run.len() == 32)?.parse().ok()
}

/// The Message-ID of the mail that the report quotes, in whole or its headers.
fn quoted(bytes: &[u8]) -> Option<Uuid> {
    let text = String::from_utf8_lossy(bytes);
    let lines = text.lines().filter(|line| {
        let name = line.trim_start().get(..11);
        name.is_some_and(|name| name.eq_ignore_ascii_case("Message-ID:"))
    });
    // The report's own comes before.
    lines.filter_map(id_of_line).next_back()
}

fn id_of_line(line: &str) -> Option<Uuid> {
    let (_, value) = line.split_once('<')?;
    let (id, _) = value.split_once('@')?;
    id.parse().ok()
}

fn cut(text: &str, bytes: usize) -> String {
    let text = text.replace('\0', "\u{fffd}");
    text[..text.floor_char_boundary(bytes)].to_owned()
}

/// Commits what a report says, once. The notification that came back, if one did.
pub(crate) async fn apply(tx: &mut PgConnection, report: &Report) -> Result<Option<Uuid>, Error> {
    // Of somebody who was erased, a mail server's words bring no address back; whoever erases them now waits.
    let about = sqlx::query_scalar!(
        "SELECT id FROM notifications WHERE id = $1 FOR UPDATE",
        report.notification
    );
    let about = about.fetch_optional(&mut *tx);
    about.await.map_err(DbError::from)?;
    let fresh = sqlx::query!(
        "INSERT INTO bounces (digest, notification_id, action, detail)
         SELECT $1, n.id, $3, CASE WHEN n.status = 'erased' THEN '' ELSE $4 END
         FROM (VALUES ($2::uuid)) AS named (id) LEFT JOIN notifications n USING (id)
         ON CONFLICT ON CONSTRAINT bounces_pkey DO NOTHING",
        &report.digest[..],
        report.notification,
        report.action,
        report.detail,
    );
    let fresh = fresh.execute(&mut *tx).await.map_err(DbError::from)?;
    if fresh.rows_affected() == 0 || !report.is_final() {
        return Ok(None);
    }
    match report.notification {
        Some(id) => bounce(tx, id, &report.detail).await,
        None => Ok(None),
    }
}

/// None where there is no such mail, or none of it has left.
pub(crate) async fn bounce(
    tx: &mut PgConnection,
    id: Uuid,
    detail: &str,
) -> Result<Option<Uuid>, Error> {
    // One that is on its way again may have come back the first time, and would come back again.
    let bounced = sqlx::query_scalar!(
        "UPDATE notifications
         SET status = 'bounced', sent_at = coalesce(sent_at, clock_timestamp()),
             last_error = $2, error_class = $3, reply_code = NULL, dismissed_at = NULL
         WHERE id = $1 AND attempts > 0 AND status IN ('queued', 'sending', 'sent', 'failed')
         RETURNING id",
        id,
        detail,
        Class::Bounce.word(),
    );
    Ok(bounced.fetch_optional(tx).await.map_err(DbError::from)?)
}

/// As `apply`, in a transaction of its own.
pub(crate) async fn take_in(app: &App, report: Report) -> Result<Option<Uuid>, Error> {
    app.db
        .run(report, |tx, report| Box::pin(apply(tx, report)))
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0197f3a0-7c11-7d3e-9c2b-3f5a6b7c8d9e";

    fn report(to: &str, action: &str, quoted: &str) -> String {
        format!(
            "Return-Path: <>\r\nDelivered-To: {to}\r\nFrom: MAILER-DAEMON@relay.example\r\n\
             To: {to}\r\nMessage-ID: <own@relay.example>\r\nSubject: Undelivered Mail\r\n\
             MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status;\r\n \
             boundary=\"b\"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nSorry.\r\n\
             --b\r\nContent-Type: message/delivery-status\r\n\r\n\
             Reporting-MTA: dns; relay.example\r\n\r\n\
             Final-Recipient: rfc822; zofia@example.com\r\nAction: {action}\r\nStatus: 5.1.1\r\n\
             Diagnostic-Code: smtp; 550 5.1.1 no such\r\n user here\r\n\r\n\
             --b\r\nContent-Type: {quoted}\r\n\r\n\
             From: tickets@example.com\r\nMessage-ID: <{ID}@example.com>\r\nSubject: x\r\n\r\n--b--\r\n"
        )
    }

    #[test]
    fn the_quoted_mail_tells_which_one_came_back() {
        for quoted in ["message/rfc822", "text/rfc822-headers"] {
            let report = report("bounces@example.com", "failed", quoted);
            let read = Report::read(report.as_bytes()).unwrap();
            assert_eq!(read.notification, Some(ID.parse().unwrap()), "{quoted}");
            assert_eq!(read.action, "failed");
            assert_eq!(read.detail, "5.1.1 smtp; 550 5.1.1 no such user here");
            assert!(read.is_final());
        }
    }

    #[test]
    fn the_address_it_came_to_tells_it_too() {
        let other = Uuid::from_u128(0x0197_f3a0_7c11_7d3e_9c2b_0000_0000_0007);
        let to = format!("bounces+{}@example.com", other.simple());
        let read = Report::read(report(&to, "failed", "message/rfc822").as_bytes()).unwrap();
        assert_eq!(read.notification, Some(other));
    }

    #[test]
    fn a_delay_is_no_end_and_noise_is_no_report() {
        let delayed = report("bounces@example.com", "Delayed", "message/rfc822");
        assert!(!Report::read(delayed.as_bytes()).unwrap().is_final());
        for noise in [
            "",
            "x",
            "From: a@b.c\r\nSubject: on holiday\r\n\r\nI am away.",
        ] {
            assert_eq!(Report::read(noise.as_bytes()), None, "{noise}");
        }
    }

    #[test]
    fn what_a_mail_server_says_in_its_own_words_is_told_from_what_a_person_answers() {
        let to = format!("bounces+{}@example.com", ID.replace('-', ""));
        let mail = |from: &str, to: &str, kind: &str| {
            format!("From: {from}\r\nTo: {to}\r\nContent-Type: {kind}\r\n\r\nNo mailbox here.\r\n")
        };
        let plain = "text/plain";
        let cut_short = "multipart/report; report-type=delivery-status; boundary=b";
        for (from, kind) in [
            ("Mail System <MAILER-DAEMON@relay.example>", plain),
            ("postmaster@relay.example", plain),
            ("bounce-robot@relay.example", cut_short),
        ] {
            let mail = mail(from, &to, kind);
            assert_eq!(Report::read(mail.as_bytes()), None);
            let told = Report::unreadable(mail.as_bytes()).unwrap();
            assert_eq!(told.notification, Some(ID.parse().unwrap()), "{from}");
            assert!(told.is_final());
        }
        let late = mail("MAILER-DAEMON@relay.example", &to, plain);
        let late = format!("Subject: Warning: message delayed 24 hours\r\n{late}");
        assert_eq!(Report::unreadable(late.as_bytes()), None);
        let was_read = "multipart/report; report-type=disposition-notification; boundary=b";
        for (from, to, kind) in [
            ("zofia@example.com", to.as_str(), plain),
            ("postmaster@relay.example", "bounces@example.com", plain),
            ("postmaster@relay.example", to.as_str(), was_read),
        ] {
            let mail = mail(from, to, kind);
            assert_eq!(Report::unreadable(mail.as_bytes()), None, "{from}");
        }
    }
}
