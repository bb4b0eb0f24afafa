use base::{EmailAddress, Secret};
use kit::FieldProblem;
use unicode_normalization::UnicodeNormalization as _;

use super::blocklist::is_easily_tried;

const FIELD: &str = "password";
/// Of a password that may be the only proof (NIST SP 800-63B-4 §3.1.1.2).
const MIN_CHARS: usize = 15;
const MAX_CHARS: usize = 256;
const OURS: &str = "boxoffice";

/// A password, to be set or to be checked: the only form in which one is counted, judged or hashed.
///
/// One keyboard writes `é` as one code point and another as two, so it is composed: Unicode NFC (NIST SP
/// 800-63B-4 §3.1.1.2). Nothing else is changed: `ﬁ` is not `fi`.
#[derive(Clone, Debug)]
pub struct Password(Secret);

impl Password {
    pub fn typed(text: &str) -> Self {
        Self(Secret::new(composed(text)))
    }

    pub(crate) fn expose(&self) -> &str {
        self.0.expose()
    }

    fn chars(&self) -> usize {
        self.expose().chars().count()
    }
}

fn composed(text: &str) -> String {
    text.nfc().collect()
}

/// A new password of the account with this address: 15 to 256 characters of any kind, and none that
/// everybody tries. Nothing is trimmed, nothing must occur in it, and it never expires.
pub(crate) fn check_new_password(
    password: &Password,
    of: Option<&EmailAddress>,
) -> Option<FieldProblem> {
    check_named(FIELD, password, of)
}

/// The same where the field is called otherwise.
pub(crate) fn check_named(
    field: &str,
    password: &Password,
    of: Option<&EmailAddress>,
) -> Option<FieldProblem> {
    if !(MIN_CHARS..=MAX_CHARS).contains(&password.chars()) {
        let rule = format!("must have {MIN_CHARS} to {MAX_CHARS} characters");
        return Some(FieldProblem::new(field, rule));
    }
    let address = composed(of.map_or("", EmailAddress::as_str));
    let (mailbox, host) = address.split_once('@').unwrap_or_default();
    let own = [OURS, &address, mailbox, host];
    is_easily_tried(password.expose(), &own).then(|| {
        let rule = "must not be one that many people use, nor be made of such or of your address";
        FieldProblem::new(field, rule)
    })
}

/// A password that someone signs in with: only what can be no password at all is refused here.
pub(crate) fn check_presented_password(password: &Password) -> Option<FieldProblem> {
    (!(1..=MAX_CHARS).contains(&password.chars()))
        .then(|| FieldProblem::new(FIELD, format!("must have 1 to {MAX_CHARS} characters")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(password: &str, of: Option<&EmailAddress>) -> Option<FieldProblem> {
        check_new_password(&Password::typed(password), of)
    }

    #[test]
    fn characters_count_and_not_bytes() {
        let mixed = |times: usize| "äbçdéfg€ïjklmñö".repeat(times);
        for good in [
            mixed(1),
            format!("{}x", mixed(17)),
            "Ω x y z √ a b c d".to_owned(),
        ] {
            assert_eq!(refused(&good, None), None, "{good}");
        }
        for bad in [String::new(), "äbçdéfg€ïjklmñ".to_owned(), mixed(18)] {
            assert!(refused(&bad, None).is_some(), "{bad}");
        }
        assert_eq!(check_presented_password(&Password::typed("x")), None);
        assert!(check_presented_password(&Password::typed("")).is_some());
    }

    #[test]
    fn an_address_is_no_password() {
        let address: EmailAddress = "Ada.Lovelace@example.org".parse().unwrap();
        let problem = refused("ada.lovelace@example.org", Some(&address));
        assert!(problem.unwrap().rule.contains("address"));
        assert_eq!(refused("another mailbox of mine", Some(&address)), None);
    }

    #[test]
    fn rules_are_about_the_composed_form() {
        // As long as one looks at it, whatever keyboard wrote it: fourteen letters, and fifteen.
        for (short, good) in [
            ("äbçdéfg ïjklmñ", "äbçdéfg ïjklmñö"),
            (
                "a\u{308}bc\u{327}de\u{301}fg i\u{308}jklmn\u{303}",
                "a\u{308}bc\u{327}de\u{301}fg i\u{308}jklmn\u{303}o\u{308}",
            ),
        ] {
            assert!(refused(short, None).is_some(), "{short}");
            assert_eq!(refused(good, None), None, "{good}");
        }
        for mailbox in ["rené.ångström", "rene\u{301}.a\u{30a}ngstro\u{308}m"] {
            let address: EmailAddress = format!("{mailbox}@example.org").parse().unwrap();
            for own in [
                "rené.ångström2026",
                "rene\u{301}.a\u{30a}ngstro\u{308}m2026",
            ] {
                assert!(refused(own, Some(&address)).is_some(), "{mailbox} {own}");
            }
        }
    }

    #[test]
    fn letters_that_only_look_alike_stay_what_they_are() {
        let exposed = |text: &str| Password::typed(text).expose().to_owned();
        assert_eq!(exposed("cafe\u{301}"), exposed("café"));
        assert_ne!(exposed("ﬁnale"), exposed("finale"));
        assert_eq!(exposed(" ² Å "), " ² Å ");
    }
}
