//! What a failed call tells its caller. Each service maps its closed error enum to a `Failure`;
//! only this file makes a `tonic::Status` of it, and reads one back.

use std::{collections::HashMap, error::Error, time::Duration};

use proto::common::{self, Certainty, ErrorReason};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::client::never_left;

const ERROR_DOMAIN: &str = "boxoffice";
const CERTAINTY_KEY: &str = "certainty";
const ONE_SECOND: Duration = Duration::from_secs(1);

/// A field of the request that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldProblem {
    /// Path of the field in the request, for example `lines[0].quantity`.
    pub field: String,
    /// The rule, as a sentence that follows the field's name: `must be between 1 and 10`.
    pub rule: String,
}

/// One failure, complete: what a program, a person and the log need.
#[derive(Debug)]
pub struct Failure {
    pub code: Code,
    pub reason: ErrorReason,
    /// Whether something happened.
    pub certainty: Certainty,
    /// For people who call; never internal detail.
    pub detail: String,
    pub fields: Vec<FieldProblem>,
    pub retry_after: Option<Duration>,
    /// Further facts by name, for programs.
    pub facts: Vec<(String, String)>,
    /// For the log only.
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

impl Failure {
    /// A refusal: the rule stands in `detail`, nothing happened.
    pub fn refused(code: Code, reason: ErrorReason, detail: impl Into<String>) -> Self {
        Self {
            code,
            reason,
            certainty: Certainty::NotDone,
            detail: detail.into(),
            fields: Vec::new(),
            retry_after: None,
            facts: Vec::new(),
            source: None,
        }
    }

    /// One answer for absent and foreign alike.
    pub fn not_found(what: &str) -> Self {
        Self::refused(
            Code::NotFound,
            ErrorReason::NotFound,
            format!("There is no such {what}."),
        )
    }

    /// Nothing happened; the same call may work after `retry_after`.
    pub fn unavailable(detail: impl Into<String>, retry_after: Duration) -> Self {
        let mut failure = Self::refused(Code::Unavailable, ErrorReason::Unavailable, detail);
        failure.retry_after = Some(retry_after);
        failure
    }

    /// It may have happened. The caller repeats with the same key.
    pub fn outcome_unknown() -> Self {
        let mut failure = Self::refused(
            Code::Unavailable,
            ErrorReason::OutcomeUnknown,
            "It is not certain whether this was done. Repeat it with the same key.",
        );
        failure.certainty = Certainty::Unknown;
        failure.retry_after = Some(ONE_SECOND);
        failure
    }

    /// A fault of ours. The source is logged, never answered.
    pub fn internal(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let mut failure = Self::refused(
            Code::Internal,
            ErrorReason::Internal,
            "Something went wrong on our side. It has been logged.",
        );
        failure.certainty = Certainty::Unknown;
        failure.source = Some(source.into());
        failure
    }

    /// The same where a task of ours panicked. What the task would say of it repeats the panic's message, which may hold
    /// what a caller sent; where it was is in the log.
    pub fn panicked() -> Self {
        Self::internal("a task panicked")
    }

    pub fn with_fact(mut self, name: &str, value: impl ToString) -> Self {
        self.facts.push((name.to_owned(), value.to_string()));
        self
    }

    /// A fault of ours is logged once: where it becomes an answer.
    fn log(&self) {
        if let Some(source) = &self.source {
            tracing::error!(error = %chain(source.as_ref()), reason = self.reason.word(), "call failed");
        }
    }

    /// What travels inside an answer to many requests. A fault of ours is logged here, once.
    pub fn into_message(self) -> common::Failure {
        self.log();
        let fields = self.fields.into_iter().map(|problem| common::FieldProblem {
            field: problem.field,
            rule: problem.rule,
        });
        let facts = self.facts.into_iter();
        let millis = self.retry_after.map_or(0, |after| after.as_millis());
        common::Failure {
            code: self.code.into(),
            reason: self.reason.into(),
            certainty: self.certainty.into(),
            detail: self.detail,
            fields: fields.collect(),
            retry_after_ms: u64::try_from(millis).unwrap_or(u64::MAX),
            facts: facts
                .map(|(name, value)| common::Fact { name, value })
                .collect(),
        }
    }

    /// Reverses [`Self::into_message`]; the source stays where it was logged.
    pub fn from_message(message: common::Failure) -> Self {
        let (reason, certainty) = (message.reason(), message.certainty());
        let fields = message.fields.into_iter();
        let facts = message.facts.into_iter();
        let millis = Some(message.retry_after_ms).filter(|millis| *millis > 0);
        Self {
            code: Code::from_i32(message.code),
            reason,
            certainty,
            detail: message.detail,
            fields: fields
                .map(|problem| FieldProblem {
                    field: problem.field,
                    rule: problem.rule,
                })
                .collect(),
            retry_after: millis.map(Duration::from_millis),
            facts: facts.map(|fact| (fact.name, fact.value)).collect(),
            source: None,
        }
    }

    /// The status to answer. A fault of ours is logged here, once.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that makes a status"
    )]
    pub fn into_status(self) -> Status {
        self.log();
        let mut facts: HashMap<String, String> = self.facts.into_iter().collect();
        facts.insert(CERTAINTY_KEY.to_owned(), self.certainty.word().to_owned());
        let mut details = ErrorDetails::with_error_info(self.reason.word(), ERROR_DOMAIN, facts);
        for problem in self.fields {
            details.add_bad_request_violation(problem.field, problem.rule);
        }
        if let Some(after) = self.retry_after {
            details.set_retry_info(Some(after));
        }
        Status::with_error_details(self.code, self.detail, details)
    }

    /// Reads a status back. Everything but a typed failure means that the outcome is unknown.
    pub fn from_status(status: &Status) -> Self {
        let details = status.get_error_details();
        let Some(info) = details
            .error_info()
            .filter(|info| info.domain == ERROR_DOMAIN)
        else {
            return Self::from_transport(status);
        };
        let mut facts: Vec<(String, String)> = info
            .metadata
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        facts.sort();
        let certainty = facts
            .iter()
            .find(|(name, _)| name == CERTAINTY_KEY)
            .map_or(Certainty::Unknown, |(_, word)| Certainty::from_word(word));
        facts.retain(|(name, _)| name != CERTAINTY_KEY);
        let fields = details.bad_request().map_or_else(Vec::new, |bad| {
            bad.field_violations
                .iter()
                .map(|v| FieldProblem {
                    field: v.field.clone(),
                    rule: v.description.clone(),
                })
                .collect()
        });
        Self {
            code: status.code(),
            reason: ErrorReason::from_word(&info.reason).unwrap_or(ErrorReason::Internal),
            certainty,
            detail: status.message().to_owned(),
            fields,
            retry_after: details.retry_info().and_then(|retry| retry.retry_delay),
            facts,
            source: None,
        }
    }

    fn from_transport(status: &Status) -> Self {
        let mut failure = match never_left(status) {
            true => Self::unavailable("This part is away for a moment. Try again.", ONE_SECOND),
            false => Self::outcome_unknown(),
        };
        failure.code = status.code();
        failure.source = Some(format!("{:?}: {}", status.code(), status.message()).into());
        failure
    }
}

impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        failure.into_status()
    }
}

/// `INVALID_REQUEST` with every field that breaks a rule.
pub fn fields(problems: Vec<FieldProblem>) -> Failure {
    let detail = problems
        .iter()
        .map(|problem| format!("{} {}", problem.field, problem.rule))
        .collect::<Vec<_>>()
        .join("; ");
    let mut failure = Failure::refused(Code::InvalidArgument, ErrorReason::InvalidRequest, detail);
    failure.fields = problems;
    failure
}

impl FieldProblem {
    pub fn new(field: impl Into<String>, rule: impl ToString) -> Self {
        Self {
            field: field.into(),
            rule: rule.to_string(),
        }
    }
}

fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_survives_the_wire() {
        let mut failure = fields(vec![FieldProblem::new("email", "must have one @")])
            .with_fact("ticket_type_id", "t1");
        failure.retry_after = Some(Duration::from_secs(2));
        let back = Failure::from_status(&failure.into_status());
        assert_eq!(back.code, Code::InvalidArgument);
        assert_eq!(back.reason, ErrorReason::InvalidRequest);
        assert_eq!(back.certainty, Certainty::NotDone);
        assert_eq!(back.fields, [FieldProblem::new("email", "must have one @")]);
        assert_eq!(back.facts, [("ticket_type_id".to_owned(), "t1".to_owned())]);
        assert_eq!(back.retry_after, Some(Duration::from_secs(2)));
    }

    #[test]
    fn a_failure_survives_as_part_of_an_answer() {
        let mut failure = fields(vec![FieldProblem::new("email", "must have one @")])
            .with_fact("ticket_type_id", "t1");
        failure.retry_after = Some(Duration::from_secs(2));
        let back = Failure::from_message(failure.into_message());
        assert_eq!(back.code, Code::InvalidArgument);
        assert_eq!(back.reason, ErrorReason::InvalidRequest);
        assert_eq!(back.certainty, Certainty::NotDone);
        assert_eq!(back.detail, "email must have one @");
        assert_eq!(back.fields, [FieldProblem::new("email", "must have one @")]);
        assert_eq!(back.facts, [("ticket_type_id".to_owned(), "t1".to_owned())]);
        assert_eq!(back.retry_after, Some(Duration::from_secs(2)));
    }

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "what the transport makes of a fault"
    )]
    fn a_fault_of_the_transport_means_unknown() {
        let back = Failure::from_status(&Status::cancelled("Timeout expired"));
        assert_eq!(back.certainty, Certainty::Unknown);
        assert_eq!(back.reason, ErrorReason::OutcomeUnknown);
    }

    #[test]
    fn a_source_is_never_answered() {
        let status = Failure::internal("password of the database is hunter2").into_status();
        assert!(!format!("{status:?}").contains("hunter2"));
    }
}
