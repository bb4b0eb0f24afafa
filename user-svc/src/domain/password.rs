use kit::FieldProblem;

const FIELD: &str = "password";
const MIN_CHARS: usize = 12;
const MAX_CHARS: usize = 256;

/// A new password: 12 to 256 characters of any kind. Nothing is trimmed. Length is the only rule
/// (NIST SP 800-63B §3.1.1.2: no composition rules).
pub(crate) fn check_new_password(password: &str) -> Option<FieldProblem> {
    let chars = password.chars().count();
    (!(MIN_CHARS..=MAX_CHARS).contains(&chars)).then(|| {
        FieldProblem::new(
            FIELD,
            format!("must have {MIN_CHARS} to {MAX_CHARS} characters"),
        )
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
        for good in ["a".repeat(12), "ä".repeat(256), " ".repeat(12)] {
            assert_eq!(check_new_password(&good), None);
        }
        for bad in [String::new(), "ä".repeat(11), "a".repeat(257)] {
            assert!(check_new_password(&bad).is_some());
        }
        assert_eq!(check_presented_password("x"), None);
        assert!(check_presented_password("").is_some());
    }
}
