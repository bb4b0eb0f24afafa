//! Messages of every shape that a template has to fit: what a template is tried on before it is used,
//! and what a preview shows.

mod guests;

use base::{Currency, EventId, Money, OrderId, TicketId, Zone};
use time::{OffsetDateTime, macros::datetime};
use uuid::Uuid;

use guests::{GUESTS, Guest, Said};

use super::{
    AwaitingTransfer, Cancelled, Invitation, Kind, LookupCode, Notice, PasswordReset, Personal,
    Postponed, Refunded, Reminder, TicketNews, Transferred, Unfulfillable, refunded::Cause,
    ticket_news::News,
};
use crate::render::{About, Event, Language, Line, Order, Receipt, Tax, Ticket};

const CODE: &str =
    "BX2:6BFOXN*TS0BI$ZD-PHKJ7.N2 G+2QW%HR3/Z8LK:MA1*NN7O4V KQ5$P0XJ-8WY3TT.E6/D2%U+AHS9";
const LATER: OffsetDateTime = datetime!(2027-02-01 18:30 UTC);

/// Each with a word for what is special about it. The first is the plain one.
pub(crate) fn samples(kind: Kind, language: Language) -> Vec<(String, Notice)> {
    let mut samples = Vec::new();
    for (word, guest) in GUESTS {
        let shapes = shapes(kind, guest, language).into_iter();
        let of_interest = if guest.has_every_shape() {
            usize::MAX
        } else {
            1
        };
        for (shape, notice) in shapes.take(of_interest) {
            let name = match shape {
                "" => word.to_owned(),
                shape => format!("{word}, {shape}"),
            };
            samples.push((name, notice));
        }
    }
    samples
}

fn shapes(kind: Kind, guest: Guest, language: Language) -> Vec<(&'static str, Notice)> {
    match kind {
        Kind::Receipt => receipts(guest, language),
        Kind::Unfulfillable => unfulfillable(guest, language),
        Kind::Refunded => refunds(guest, language),
        Kind::Cancelled => cancelled(guest, language),
        Kind::Postponed => postponed(guest, language),
        Kind::Reminder => reminders(guest, language),
        Kind::AwaitingTransfer => awaiting(guest, language),
        Kind::TicketTransferred => transferred(guest, language),
        Kind::TicketNews => ticket_news(guest, language),
        Kind::LookupCode => vec![("", lookup_code(guest, language))],
        Kind::AdminInvitation => invitations(guest, language),
        Kind::PasswordReset => vec![("", password_reset(guest, language))],
    }
}

fn receipts(guest: Guest, language: Language) -> Vec<(&'static str, Notice)> {
    let notice = |tickets| Notice::Receipt {
        receipt: receipt(guest, language, tickets),
        revision: 0,
    };
    vec![("", notice(3)), ("one ticket", notice(1))]
}

fn unfulfillable(guest: Guest, language: Language) -> Vec<(&'static str, Notice)> {
    let notice = |reason: &str, refund| {
        Notice::Unfulfillable(Unfulfillable {
            about: about(guest, language),
            refund,
            reason: reason.to_owned(),
        })
    };
    vec![
        ("", notice("SOLD_OUT", Some(eur(9_000)))),
        (
            "event cancelled",
            notice("EVENT_NOT_ACTIVE", Some(eur(9_000))),
        ),
        ("another reason", notice("OTHER", Some(eur(9_000)))),
        ("nothing paid", notice("SOLD_OUT", None)),
    ]
}

fn refunds(guest: Guest, language: Language) -> Vec<(&'static str, Notice)> {
    let names = [
        "requested",
        "second payment",
        "overpaid",
        "order ended",
        "mismatch",
    ];
    let notice = |cause, voided_tickets, complete| {
        Notice::Refunded(Refunded {
            about: about(guest, language),
            revision: 0,
            amount: eur(4_500),
            cause,
            note: guest.said().explanation.to_owned(),
            voided_tickets,
            complete,
        })
    };
    let causes = Cause::ALL.into_iter();
    let mut refunds: Vec<_> = names
        .into_iter()
        .zip(causes.map(|cause| notice(cause, 0, false)))
        .collect();
    refunds.push(("one ticket void", notice(Cause::Requested, 1, false)));
    refunds.push(("two tickets void, all", notice(Cause::Requested, 2, true)));
    refunds
}

fn cancelled(guest: Guest, language: Language) -> Vec<(&'static str, Notice)> {
    let notice = |refund| {
        Notice::Cancelled(Cancelled {
            about: about(guest, language),
            explanation: guest.said().explanation.to_owned(),
            refund,
        })
    };
    vec![
        ("", notice(Some(eur(9_000)))),
        ("nothing paid", notice(None)),
    ]
}

fn postponed(guest: Guest, language: Language) -> Vec<(&'static str, Notice)> {
    let notice = |cancel_until| {
        Notice::Postponed(Postponed {
            about: about(guest, language),
            revision: 0,
            previous: datetime!(2026-10-02 18:00 UTC),
            explanation: guest.said().explanation.to_owned(),
            cancel_until,
        })
    };
    vec![("", notice(Some(LATER))), ("no way out", notice(None))]
}

fn reminders(guest: Guest, language: Language) -> Vec<(&'static str, Notice)> {
    let notice = |tickets| {
        Notice::Reminder(Reminder {
            about: about(guest, language),
            revision: 0,
            tickets,
        })
    };
    vec![("", notice(2)), ("one ticket", notice(1))]
}

fn awaiting(guest: Guest, language: Language) -> Vec<(&'static str, Notice)> {
    let notice = |revision| {
        Notice::AwaitingTransfer(AwaitingTransfer {
            about: about(guest, language),
            revision,
            due: eur(9_000),
            pay_by: LATER,
            instructions: "Nightjar Concerts s.r.o.\nIBAN CZ65 0800 0000 1920 0014 5399\n\
                           BIC GIBACZPX"
                .to_owned(),
            reference: "BX-7K3M9Q".to_owned(),
        })
    };
    vec![("", notice(0)), ("a part arrived", notice(1))]
}

fn transferred(guest: Guest, language: Language) -> Vec<(&'static str, Notice)> {
    let notice = |from: &str| {
        Notice::Transferred(Transferred {
            about: About {
                total: None,
                unsubscribe: None,
                ..about(guest, language)
            },
            revision: 2,
            ticket: ticket(guest, 1),
            from_name: from.to_owned(),
        })
    };
    vec![
        ("", notice("Ελένη Παπαδοπούλου")),
        ("nobody named", notice("")),
    ]
}

fn ticket_news(guest: Guest, language: Language) -> Vec<(&'static str, Notice)> {
    let notice = |tickets, news| {
        Notice::TicketNews(TicketNews {
            about: About {
                total: None,
                ..about(guest, language)
            },
            revision: 0,
            tickets,
            explanation: guest.said().explanation.to_owned(),
            news,
        })
    };
    let moved = News::Postponed {
        previous: datetime!(2026-10-02 18:00 UTC),
    };
    vec![
        ("", notice(1, moved)),
        ("a new date for two", notice(2, moved)),
        ("cancelled", notice(1, News::Cancelled)),
        ("cancelled for two", notice(2, News::Cancelled)),
        ("a reminder", notice(1, News::Soon)),
        ("a reminder for two", notice(2, News::Soon)),
    ]
}

fn lookup_code(guest: Guest, language: Language) -> Notice {
    Notice::LookupCode(LookupCode {
        personal: personal(guest, language),
        code: "K7QF-2M9X".to_owned(),
    })
}

fn invitations(guest: Guest, language: Language) -> Vec<(&'static str, Notice)> {
    let notice = |by: &str| {
        Notice::Invitation(Invitation {
            personal: personal(guest, language),
            revision: 0,
            link: link("invite"),
            invited_by: by.to_owned(),
        })
    };
    vec![("", notice("Zofia Wójcik")), ("nobody named", notice(""))]
}

fn password_reset(guest: Guest, language: Language) -> Notice {
    Notice::PasswordReset(PasswordReset {
        personal: personal(guest, language),
        link: link("reset"),
    })
}

fn receipt(guest: Guest, language: Language, tickets: u32) -> Receipt {
    let about = about(guest, language);
    let price = eur(4_500);
    let total = eur(4_500 * i64::from(tickets));
    Receipt {
        order: Order {
            id: about.id,
            number: about.number,
            email: about.email,
            name: about.name,
            phone: String::new(),
            paid_at: datetime!(2026-09-02 9:15:30 UTC),
            total,
            link: about.link,
            language,
        },
        event: about.event,
        lines: vec![Line {
            category: guest.said().category.to_owned(),
            quantity: tickets,
            unit_price: price,
            line_total: total,
            unit_fee: Some(eur(250)),
            tax: Some(Tax {
                rate_ppm: 77_000,
                amount: eur(322 * i64::from(tickets)),
            }),
        }],
        tickets: (1..=tickets)
            .map(|number| ticket(guest, number.into()))
            .collect(),
        seller: about.seller,
    }
}

fn about(guest: Guest, language: Language) -> About {
    let Said {
        title,
        location,
        name,
        email,
        ..
    } = guest.said();
    About {
        id: OrderId::from(Uuid::from_u128(7)),
        number: "BX-7K3M9Q".to_owned(),
        email: email.to_owned(),
        name: (!name.is_empty()).then(|| name.to_owned()),
        language,
        total: Some(eur(9_000)),
        link: link("o"),
        unsubscribe: Some(link("u")),
        event: Event {
            id: EventId::from(Uuid::from_u128(5)),
            title: title.to_owned(),
            location: location.to_owned(),
            description: String::new(),
            starts_at: datetime!(2027-03-12 19:00 UTC),
            zone: zone(),
            version: 1,
            public_url: "https://tickets.example/events/nightjar-live".to_owned(),
        },
        seller: guest.seller(),
    }
}

fn personal(guest: Guest, language: Language) -> Personal {
    Personal {
        id: Uuid::from_u128(9),
        email: guest.said().email.to_owned(),
        language,
        expires_at: datetime!(2026-09-02 9:30 UTC),
        seller: guest.seller(),
    }
}

fn ticket(guest: Guest, number: u128) -> Ticket {
    Ticket {
        id: TicketId::from(Uuid::from_u128(number)),
        code: CODE.to_owned(),
        category: guest.said().category.to_owned(),
    }
}

fn link(path: &str) -> String {
    format!("https://tickets.example/{path}/0190a1b2-0000-7000-8000-000000000007/sample")
}

fn eur(amount_minor: i64) -> Money {
    Money::new(amount_minor, Currency::EUR)
}

fn zone() -> Zone {
    "Europe/Prague"
        .parse()
        .expect("the database of zones has Prague")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::letter_mail;

    /// The templates of the repository fit every shape, and every fact is one that some template may name.
    #[test]
    fn every_template_of_the_repository_fits_every_sample() {
        for kind in Kind::ALL {
            for language in Language::ALL {
                for (name, notice) in samples(kind, language) {
                    let letter = notice.letter().unwrap();
                    let what = format!("{} {} {name}", kind.word(), language.tag());
                    let mail = letter_mail(&letter, kind.wording(language))
                        .unwrap_or_else(|error| panic!("{what}: {error}"));
                    assert_eq!(notice.kind(), kind);
                    for hostile in ["<script", "<b>", "<i>", "<u>"] {
                        assert!(!mail.html.contains(hostile), "{what}: {}", mail.html);
                    }
                    let head = format!("<html lang=\"{}\"", language.tag());
                    assert!(mail.html.contains(&head), "{what}");
                    assert!(!mail.subject.contains(['\r', '\n']), "{what}");
                    assert!(!mail.text.contains("\n\n\n"), "{what}: {}", mail.text);
                    if name.starts_with("right to left") {
                        for part in [&mail.html, &mail.text] {
                            assert!(part.contains("\u{2068}שירי הארץ בע״מ\u{2069}"), "{what}");
                        }
                        let (turned, kept) =
                            (mail.subject.matches('ש'), mail.subject.matches('\u{2068}'));
                        assert!(
                            turned.count() == 0 || kept.count() == 1,
                            "{what}: {}",
                            mail.subject
                        );
                    }
                    let missing = [" ,", " .", "..", "  ", "()"];
                    for paragraph in letter_words(&letter, kind.wording(language)) {
                        let odd = missing.iter().any(|odd| paragraph.contains(odd));
                        assert!(!odd, "{what}: {paragraph}");
                    }
                }
            }
        }
    }

    /// For a look with human eyes: `RENDER_SAMPLES=folder cargo test --lib letters_to_look_at -- --ignored`.
    #[test]
    #[ignore = "writes files for a person to look at"]
    #[expect(clippy::disallowed_methods, reason = "a person says where to")]
    fn letters_to_look_at() {
        let folder = std::path::PathBuf::from(std::env::var("RENDER_SAMPLES").unwrap());
        for kind in Kind::ALL {
            for language in Language::ALL {
                for (name, notice) in samples(kind, language) {
                    let letter = notice.letter().unwrap();
                    let mail = letter_mail(&letter, kind.wording(language)).unwrap();
                    let name = name.replace(", ", "-").replace(' ', "-");
                    let file = format!("{}-{}-{name}", language.tag(), kind.word());
                    let write = |ending: &str, text: &str| {
                        std::fs::write(folder.join(format!("{file}.{ending}")), text).unwrap();
                    };
                    write("html", &mail.html);
                    write("txt", &format!("{}\n\n{}", mail.subject, mail.text));
                }
            }
        }
    }

    fn letter_words(
        letter: &crate::render::Letter,
        wording: &crate::render::Wording,
    ) -> Vec<String> {
        let words = wording.fill(&letter.facts).unwrap();
        words.complete(letter.parts.link.is_some()).unwrap();
        [vec![words.subject, words.headline], words.paragraphs].concat()
    }
}
