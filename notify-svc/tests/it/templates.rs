//! The words of mails, as superadmins change them.

use std::slice::from_ref;

use base::UserId;
use kit::{ErrorReason, Failure};
use proto::{
    Peer,
    notify::{template_admin_service_client::TemplateAdminServiceClient, *},
};
use tonic::{Request, Status};

use crate::harness::{Channel, Harness, LIMIT};

const WORDS: &str = "Subject: Servus {{ name }}: {{ title }}\nHeadline: {{ title }}\n\
                     Button: Zu den Karten\n\nGrüß Gott! <b>{{ tickets }}</b> Karten.\n";

struct Office {
    harness: Harness,
    templates: TemplateAdminServiceClient<Channel>,
    user: UserId,
}

impl Office {
    async fn start() -> Self {
        let harness = Harness::start().await;
        let templates = TemplateAdminServiceClient::new(harness.channel(Peer::Gateway));
        let user = UserId::new(&harness.sources);
        Self {
            harness,
            templates,
            user,
        }
    }

    fn signed<T>(&self, message: T) -> Request<T> {
        self.signed_as("superadmin", message)
    }

    fn signed_as<T>(&self, role: &str, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let token = format!("Bearer {role}:{}", self.user);
        let token = token.parse().unwrap();
        request.metadata_mut().insert("authorization", token);
        request
    }

    async fn get(&self) -> Template {
        let request = self.signed(GetTemplateRequest {
            kind: "receipt".to_owned(),
            language: "de".to_owned(),
        });
        let answer = self.templates.clone().get_template(request).await;
        answer.unwrap().into_inner().template.unwrap()
    }

    async fn publish(&self, source: &str, expected: Option<u32>) -> Result<Template, Failure> {
        let request = self.signed(PublishTemplateRequest {
            kind: "receipt".to_owned(),
            language: "de".to_owned(),
            source: source.to_owned(),
            note: "friendlier".to_owned(),
            expected_version: expected,
        });
        let answer = self.templates.clone().publish_template(request).await;
        answer
            .map(|answer| answer.into_inner().template.unwrap())
            .map_err(|status| Failure::from_status(&status))
    }

    async fn revert(&self, version: u32) -> Result<Template, Failure> {
        let request = self.signed(RevertTemplateRequest {
            kind: "receipt".to_owned(),
            language: "de".to_owned(),
            version,
            note: "the old words were better".to_owned(),
            expected_version: None,
        });
        let answer = self.templates.clone().revert_template(request).await;
        answer
            .map(|answer| answer.into_inner().template.unwrap())
            .map_err(|status| Failure::from_status(&status))
    }

    async fn preview(
        &self,
        source: &str,
        sample: &str,
    ) -> Result<PreviewTemplateResponse, Failure> {
        let request = self.signed(PreviewTemplateRequest {
            kind: "receipt".to_owned(),
            language: "de".to_owned(),
            source: source.to_owned(),
            sample: sample.to_owned(),
        });
        let answer = self.templates.clone().preview_template(request).await;
        answer
            .map(tonic::Response::into_inner)
            .map_err(|status| Failure::from_status(&status))
    }

    /// The subject of a German receipt that comes now.
    async fn subject_now(&self) -> String {
        let mut paid = self.harness.paid();
        paid.locale = "de".to_owned();
        let envelope = self.harness.envelope_of(paid);
        self.harness.accept(from_ref(&envelope)).await;
        self.harness.reaches(&envelope, "sent", 1).await;
        let mail = self.harness.sink.messages().pop().unwrap().data;
        let mail = mail_parser::MessageParser::default()
            .parse(mail.as_bytes())
            .unwrap();
        mail.subject().unwrap().to_owned()
    }

    /// The receipt as a guest's browser shows it now.
    async fn page(&self) -> String {
        let mut facts = self.harness.paid();
        facts.locale = "de".to_owned();
        let request = RenderDocumentRequest {
            facts: Some(facts),
            kind: DocumentKind::ReceiptHtml.into(),
        };
        let mut documents = self.harness.documents(Peer::Gateway);
        let page = documents.render_document(request).await.unwrap();
        String::from_utf8(page.into_inner().content).unwrap()
    }

    /// `action`, `object`, `before`, `after` of everything on record.
    async fn audited(&self) -> Vec<String> {
        let rows = sqlx::query_scalar(
            "SELECT concat_ws(' ', actor = $1, action, object, before->>'version', after->>'version',
                 after->>'note')
             FROM audit_log ORDER BY id",
        );
        let rows = rows.bind(self.user.to_string());
        rows.fetch_all(&self.harness.rows).await.unwrap()
    }
}

fn field(failure: &Failure) -> (ErrorReason, &str) {
    let field = failure.fields.first();
    (
        failure.reason,
        field.map_or("", |field| field.field.as_str()),
    )
}

#[tokio::test]
async fn every_kind_has_its_words_in_every_language() {
    let office = Office::start().await;
    let request = office.signed(ListTemplatesRequest {});
    let listed = office.templates.clone().list_templates(request).await;
    let listed = listed.unwrap().into_inner().templates;
    assert_eq!(listed.len(), 36);
    for template in listed {
        assert_eq!((template.version, template.builtin), (0, true));
        let request = office.signed(GetTemplateRequest {
            kind: template.kind.clone(),
            language: template.language.clone(),
        });
        let got = office.templates.clone().get_template(request).await;
        let got = got.unwrap().into_inner().template.unwrap();
        assert_eq!(got.source, got.builtin_source);
        assert!(got.samples.len() >= 3 && got.samples[0].starts_with("plain"));
        assert!(got.facts.iter().any(|fact| fact.name == "seller"));
        // What is in the repository passes the same gate as what an admin writes.
        let request = office.signed(PreviewTemplateRequest {
            kind: template.kind,
            language: template.language,
            source: got.source,
            sample: got.samples.last().unwrap().clone(),
        });
        let shown = office.templates.clone().preview_template(request).await;
        assert!(
            shown
                .unwrap()
                .into_inner()
                .html
                .starts_with("<!doctype html>")
        );
    }
    for (kind, language) in [("receipt", "pl"), ("receipt", "de-AT"), ("letter", "de")] {
        let request = office.signed(GetTemplateRequest {
            kind: kind.to_owned(),
            language: language.to_owned(),
        });
        let absent = office.templates.clone().get_template(request).await;
        let absent = Failure::from_status(&absent.unwrap_err());
        assert_eq!(absent.reason, ErrorReason::NotFound, "{kind} {language}");
    }
}

#[tokio::test]
async fn only_superadmins_see_and_change_words() {
    let office = Office::start().await;
    let refused = |answer: Status| Failure::from_status(&answer).reason;
    for role in ["admin", "nobody"] {
        let expected = ErrorReason::PermissionDenied;
        let list = office.signed_as(role, ListTemplatesRequest {});
        let list = office.templates.clone().list_templates(list).await;
        assert_eq!(refused(list.unwrap_err()), expected);
        let publish = office.signed_as(role, PublishTemplateRequest::default());
        let publish = office.templates.clone().publish_template(publish).await;
        assert_eq!(refused(publish.unwrap_err()), expected);
        let revert = office.signed_as(role, RevertTemplateRequest::default());
        let revert = office.templates.clone().revert_template(revert).await;
        assert_eq!(refused(revert.unwrap_err()), expected);
        let preview = office.signed_as(role, PreviewTemplateRequest::default());
        let preview = office.templates.clone().preview_template(preview).await;
        assert_eq!(refused(preview.unwrap_err()), expected);
    }
    let mut nobody = office.templates.clone();
    let none = nobody.get_template(GetTemplateRequest::default()).await;
    assert_eq!(refused(none.unwrap_err()), ErrorReason::Unauthenticated);
}

#[tokio::test]
async fn a_preview_shows_the_mail_and_stores_nothing() {
    let office = Office::start().await;
    let shown = office.preview(WORDS, "").await.unwrap();
    assert_eq!(shown.sample, "plain");
    assert_eq!(shown.subject, "Servus Zofia Wójcik: Nightjar Live");
    assert!(
        shown
            .html
            .contains("Grüß Gott! &lt;b&gt;3&lt;&#x2f;b&gt; Karten."),
        "{}",
        shown.html
    );
    assert!(
        shown.text.contains("Grüß Gott! <b>3</b> Karten."),
        "{}",
        shown.text
    );
    let hostile = office.preview(WORDS, "hostile").await.unwrap();
    assert!(!hostile.html.contains("<script"), "{}", hostile.html);
    let known = office.preview("", "plain, one ticket").await.unwrap();
    assert!(
        known.text.contains("Ihr Ticket hängt an."),
        "{}",
        known.text
    );
    let unknown = office.preview(WORDS, "of my own").await.unwrap_err();
    assert_eq!(field(&unknown), (ErrorReason::InvalidRequest, "sample"));
    assert_eq!(office.get().await.version, 0);
    assert!(office.harness.sink.messages().is_empty());
    assert!(office.audited().await.is_empty());
}

#[tokio::test]
async fn published_words_are_those_of_the_next_mail() {
    let office = Office::start().await;
    assert_eq!(
        office.subject_now().await,
        "Ihre Tickets für Nightjar Live (BX-7K3M9Q)"
    );
    let published = office.publish(WORDS, Some(0)).await.unwrap();
    assert_eq!((published.version, published.source.as_str()), (1, WORDS));
    assert_eq!(
        office.subject_now().await,
        "Servus Zofia Wójcik: Nightjar Live"
    );
    let page = office.page().await;
    assert!(page.contains("Grüß Gott!"), "{page}");
    // The same words again are no new version.
    assert_eq!(office.publish(WORDS, None).await.unwrap().version, 1);

    let other = WORDS.replace("Servus", "Hallo");
    assert_eq!(office.publish(&other, Some(1)).await.unwrap().version, 2);
    assert_eq!(
        office.subject_now().await,
        "Hallo Zofia Wójcik: Nightjar Live"
    );
    let back = office.revert(1).await.unwrap();
    assert_eq!((back.version, back.source.as_str()), (3, WORDS));
    assert_eq!(
        office.subject_now().await,
        "Servus Zofia Wójcik: Nightjar Live"
    );
    let builtin = office.revert(0).await.unwrap();
    assert_eq!(builtin.source, builtin.builtin_source);
    assert_eq!(builtin.versions.len(), 4);
    assert_eq!(builtin.versions[0].source, "");
    assert_eq!(
        office.subject_now().await,
        "Ihre Tickets für Nightjar Live (BX-7K3M9Q)"
    );
    assert_eq!(
        office.revert(9).await.unwrap_err().reason,
        ErrorReason::NotFound
    );
    assert_eq!(
        office.audited().await,
        [
            "t template.publish receipt/de 0 1 friendlier",
            "t template.publish receipt/de 1 2 friendlier",
            "t template.revert receipt/de 2 3 the old words were better",
            "t template.revert receipt/de 3 4 the old words were better",
        ]
    );
    // Versions are history.
    let changed =
        sqlx::query("UPDATE template_versions SET note = ''").execute(&office.harness.rows);
    assert!(changed.await.is_err());
    office.harness.check_invariants(0).await;
}

#[tokio::test]
async fn another_attempt_is_in_the_words_of_the_first() {
    let office = Office::start().await;
    office.subject_now().await;
    office.publish(WORDS, None).await.unwrap();
    office.subject_now().await;
    // As if it had not been written down that they went out.
    sqlx::query("UPDATE notifications SET status = 'queued', sent_at = NULL, next_attempt_at = clock_timestamp()")
        .execute(&office.harness.rows)
        .await
        .unwrap();
    let mails = office.harness.sink.wait_for(4, LIMIT).await;
    let id = |mail: &str| {
        let (_, rest) = mail.split_once("Message-ID: ").unwrap();
        rest.lines().next().unwrap().to_owned()
    };
    for again in &mails[2..] {
        let first = mails[..2]
            .iter()
            .find(|first| id(&first.data) == id(&again.data));
        assert_eq!(again.data, first.unwrap().data);
    }
}

#[tokio::test]
async fn a_template_that_does_not_fit_is_refused() {
    let office = Office::start().await;
    let body = |text: &str| format!("Subject: s\nHeadline: h\nButton: b\n\n{text}");
    for (source, why) in [
        (String::new(), "empty line"),
        (body("{{ nmae }}"), "does not fit the sample `plain`"),
        (
            body("{% if tickets == 1 %}text{% endif %}"),
            "leaves the text empty",
        ),
        (
            body("{% include 'mail.html' %}"),
            "cannot use `{% include %}`",
        ),
        (body("{{ title ~ title }}"), "cannot use `~`"),
        (body("{% for a in title %}"), "end"),
        (body(&"x".repeat(20_000)), "more than 16384 bytes"),
        ("Subject: s\nHeadline: h\n\ntext".to_owned(), "button"),
        (format!("Subject: s\nBcc: x\n{WORDS}"), "Headline"),
    ] {
        for answer in [
            office.publish(&source, None).await.map(drop),
            office.preview(&source, "").await.map(drop),
        ] {
            // An empty source in a preview means the one in force.
            if source.is_empty() && answer.is_ok() {
                continue;
            }
            let refused = answer.unwrap_err();
            assert_eq!(
                field(&refused),
                (ErrorReason::InvalidRequest, "source"),
                "{source}"
            );
            let rule = &refused.fields[0].rule;
            assert!(rule.contains(why), "{why}: {rule}");
        }
    }
    assert_eq!(office.get().await.version, 0);
    assert!(office.audited().await.is_empty());
}

#[tokio::test]
async fn of_two_who_publish_at_once_one_is_told() {
    let office = Office::start().await;
    office.publish(WORDS, None).await.unwrap();
    let stale = office
        .publish(&WORDS.replace("Servus", "Hallo"), Some(0))
        .await;
    assert_eq!(stale.unwrap_err().reason, ErrorReason::VersionMismatch);
    let sources: Vec<String> = (0..6)
        .map(|number| WORDS.replace("Servus", &format!("Hallo {number}")))
        .collect();
    let all = sources.iter().map(|source| office.publish(source, Some(1)));
    let answers = futures::future::join_all(all).await;
    let refused: Vec<_> = answers
        .iter()
        .filter_map(|answer| answer.as_ref().err())
        .collect();
    assert_eq!(refused.len(), 5, "{answers:?}");
    let told = |failure: &&&Failure| failure.reason == ErrorReason::VersionMismatch;
    assert_eq!(refused.iter().filter(told).count(), 5, "{refused:?}");
    assert_eq!(office.get().await.version, 2);
    assert_eq!(office.audited().await.len(), 2);
}

#[tokio::test]
async fn no_receipt_waits_for_a_template_that_does_not_fit() {
    let office = Office::start().await;
    // As an older program may have let it pass, whose receipts had such a fact.
    for (version, source) in [
        (1, "Subject: s\nHeadline: h\nButton: b\n\n{{ gone_by_now }}"),
        (2, "no template at all"),
    ] {
        sqlx::query(
            "INSERT INTO template_versions (kind, language, version, source, note, published_by)
             VALUES ('receipt', 'de', $1, $2, '', '')",
        )
        .bind(version)
        .bind(source)
        .execute(&office.harness.rows)
        .await
        .unwrap();
        assert_eq!(
            office.subject_now().await,
            "Ihre Tickets für Nightjar Live (BX-7K3M9Q)"
        );
        // It was tried out before it is in force again, and refused.
        let refused = office.revert(1).await.unwrap_err();
        assert_eq!(field(&refused), (ErrorReason::InvalidRequest, "source"));
    }
    office.harness.check_invariants(0).await;
}
