use std::fmt;

/// A place that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub file: String,
    /// From 1; 0 where the whole file is meant.
    pub line: usize,
    /// What stands there, with its measure.
    pub what: String,
}

impl Finding {
    pub fn new(file: impl Into<String>, line: usize, what: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            line,
            what: what.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(out, "{}: {}", self.file, self.what),
            line => write!(out, "{}:{line}: {}", self.file, self.what),
        }
    }
}

/// Fails the test that calls it, unless there are no findings.
///
/// # Panics
/// With the rule, its budget and every place that breaks it.
#[track_caller]
pub fn demand(rule: &str, findings: &[Finding]) {
    let list: String = findings
        .iter()
        .map(|finding| format!("\n  {finding}"))
        .collect();
    assert!(findings.is_empty(), "the rule is: {rule}{list}\n");
}
