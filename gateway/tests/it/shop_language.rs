//! The language of a page: what its guest chose, or what their browser asks for.

use reqwest::Method;

use crate::{
    facts::{self, HOLD, HOLD_SECRET, ORDER, ORDER_SECRET},
    harness::{Edge, edge, header},
};

async fn page(edge: &Edge, path: &str, headers: &[(&str, &str)]) -> String {
    let mut request = edge.get(path).header("accept", "text/html");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap().text().await.unwrap()
}

#[tokio::test]
async fn a_browser_is_answered_in_its_language() {
    edge(async |edge| {
        let event = "/events/moonlight-sessions";
        // Twice: the second ones are those that were kept.
        for _ in 0..2 {
            for (asked, lang, take) in [
                ("de-AT,en;q=0.5", "de", "Diese Tickets nehmen"),
                ("pl,fr;q=0.3", "fr", "Prendre ces billets"),
                ("pl", "en", "Take these tickets"),
            ] {
                let asked = [("accept-language", asked)];
                let text = page(edge, event, &asked).await;
                assert!(text.contains(&format!("<html lang=\"{lang}\">")), "{text}");
                assert!(text.contains(take), "{text}");
            }
        }
        let german = [("accept-language", "de")];
        let programme = page(edge, "/", &german).await;
        assert!(programme.contains("ab 25,00 EUR"), "{programme}");
        assert!(
            programme.contains("Samstag, 12. Juni 2027, 20:00 Uhr MESZ"),
            "{programme}"
        );
        let absent = page(edge, "/events/unknown", &german).await;
        assert!(
            absent.contains("Dieses Konzert steht nicht im Programm"),
            "{absent}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_choice_is_remembered_and_caches_are_told() {
    edge(async |edge| {
        let chosen = edge.get("/?lang=fr").header("accept-language", "de");
        let chosen = chosen.send().await.unwrap();
        let cookie = header(&chosen, "set-cookie");
        assert!(
            cookie.starts_with("language=fr; Path=/; HttpOnly; SameSite=Lax"),
            "{cookie}"
        );
        assert!(header(&chosen, "vary").contains("accept-language, cookie"));
        assert!(chosen.text().await.unwrap().contains("<html lang=\"fr\">"));
        let later = [("cookie", "language=fr"), ("accept-language", "de")];
        assert!(
            page(edge, "/find", &later)
                .await
                .contains("Retrouver mes commandes")
        );
        let unknown = edge.get("/?lang=xx").send().await.unwrap();
        assert_eq!(header(&unknown, "set-cookie"), "");
    })
    .await;
}

#[tokio::test]
async fn an_order_is_told_in_the_language_of_its_page() {
    edge(async |edge| {
        *edge.stub.order.lock().unwrap() = facts::fulfilled_order();
        let order = format!("/orders/{ORDER}?lang=de");
        let cookie = format!("order_{ORDER}={ORDER_SECRET}");
        let text = page(edge, &order, &[("cookie", &cookie)]).await;
        assert!(text.contains("Ihre Bestellung ist vollständig."), "{text}");

        let fields = [
            ("total_minor", "5000"),
            ("currency", "EUR"),
            ("email", "ada@example.org"),
            ("phone_number", "+49301234567"),
        ];
        let buy = edge
            .request(Method::POST, &format!("/checkout/{HOLD}"))
            .form(&fields)
            .header("cookie", format!("hold_{HOLD}={HOLD_SECRET}; language=fr"))
            .header("accept-language", "de-AT");
        assert_eq!(buy.send().await.unwrap().status(), 303);
        let asked = edge.stub.last_asked();
        assert!(asked.contains("locale: \"fr\""), "{asked}");
    })
    .await;
}
