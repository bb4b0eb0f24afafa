use base::EmailAddress;
use kit::FieldProblem;

use super::blocklist::is_easily_tried;

const FIELD: &str = "password";
/// Of a password that may be the only proof (NIST SP 800-63B-4 §3.1.1.2).
const MIN_CHARS: usize = 15;
const MAX_CHARS: usize = 256;
const OURS: &str = "boxoffice";

/// A new password of the account with this address: 15 to 256 characters of any kind, and none that
/// everybody tries. Nothing is trimmed, nothing must occur in it, and it never expires.
pub(crate) fn check_new_password(
    password: &str,
    of: Option<&EmailAddress>,
) -> Option<FieldProblem> {
    check_named(FIELD, password, of)
}

/// The same where the field is called otherwise.
pub(crate) fn check_named(
    field: &str,
    password: &str,
    of: Option<&EmailAddress>,
) -> Option<FieldProblem> {
    let chars = password.chars().count();
    if !(MIN_CHARS..=MAX_CHARS).contains(&chars) {
        let rule = format!("must have {MIN_CHARS} to {MAX_CHARS} characters");
        return Some(FieldProblem::new(field, rule));
    }
    let address = of.map_or("", EmailAddress::as_str);
    let (mailbox, host) = address.split_once('@').unwrap_or_default();
    let own = [OURS, address, mailbox, host];
    is_easily_tried(password, &own).then(|| {
        let rule = "must not be one that many people use, nor be made of such or of your address";
        FieldProblem::new(field, rule)
    })
}

/// A password that someone signs in with: only what can be no password at all is refused here.
pub(crate) fn check_presented_password(password: &str) -> Option<FieldProblem> {
    let chars = password.chars().count();
    (!(1..=MAX_CHARS).contains(&chars))
        .then(|| FieldProblem::new(FIELD, format!("must have 1 to {MAX_CHARS} characters")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_count_and_not_bytes() {
        let mixed = |times: usize| "äbçdéfg€ïjklmñö".repeat(times);
        for good in [
            mixed(1),
            format!("{}x", mixed(17)),
            "Ω x y z √ a b c d".to_owned(),
        ] {
            assert_eq!(check_new_password(&good, None), None, "{good}");
        }
        for bad in [String::new(), "äbçdéfg€ïjklmñ".to_owned(), mixed(18)] {
            assert!(check_new_password(&bad, None).is_some(), "{bad}");
        }
        assert_eq!(check_presented_password("x"), None);
        assert!(check_presented_password("").is_some());
    }

    #[test]
    fn an_address_is_no_password() {
        let address: EmailAddress = "Ada.Lovelace@example.org".parse().unwrap();
        let problem = check_new_password("ada.lovelace@example.org", Some(&address));
        assert!(problem.unwrap().rule.contains("address"));
        assert_eq!(
            check_new_password("another mailbox of mine", Some(&address)),
            None
        );
    }
}
