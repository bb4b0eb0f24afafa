//! Settings come from the environment (or flags) and are parsed once, before a port is bound.

use std::{error::Error as _, ffi::OsString, process::exit};

use clap::error::{ContextKind, ErrorKind};

/// `EX_USAGE` of sysexits.h: the settings make no sense.
pub const EXIT_USAGE: i32 = 64;
/// `EX_SOFTWARE` of sysexits.h: it started and failed.
pub const EXIT_FAILURE: i32 = 70;

/// Parses the settings of a service. Nonsense ends the process with 64, `--help` with 0.
pub fn parse_or_exit<C: clap::Parser>() -> C {
    parse_from_or_exit(std::env::args_os())
}

/// The same, of a command line that somebody else made.
pub fn parse_from_or_exit<C: clap::Parser>(
    command_line: impl IntoIterator<Item = impl Into<OsString> + Clone>,
) -> C {
    C::try_parse_from(command_line).unwrap_or_else(|error| {
        let code = if error.use_stderr() { EXIT_USAGE } else { 0 };
        match without_value(&error) {
            Some(sentence) => eprintln!("{sentence}"),
            // Nothing is left to report to if the terminal is gone.
            None => drop(error.print()),
        }
        exit(code)
    })
}

/// Names the setting and the rule, not the value: a malformed secret is a secret all the same.
fn without_value(error: &clap::Error) -> Option<String> {
    let about_a_value = matches!(
        error.kind(),
        ErrorKind::ValueValidation | ErrorKind::InvalidValue
    );
    if !about_a_value {
        return None;
    }
    let setting = error.get(ContextKind::InvalidArg)?;
    let rule = error
        .source()
        .map(|rule| format!(": {rule}"))
        .unwrap_or_default();
    Some(format!(
        "error: the value of {setting} is not usable{rule}\n\nFor more information, try '--help'."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MeshKey;

    #[derive(Debug, clap::Parser)]
    struct Config {
        #[arg(long)]
        mesh_key: MeshKey,
    }

    #[test]
    fn a_malformed_secret_is_not_printed() {
        let error =
            <Config as clap::Parser>::try_parse_from(["x", "--mesh-key=canary"]).unwrap_err();
        let sentence = without_value(&error).unwrap();
        assert!(!sentence.contains("canary"), "{sentence}");
        assert!(
            sentence.contains("--mesh-key") && sentence.contains("32 random bytes"),
            "{sentence}"
        );
    }
}
