//! Settings come from flags, the environment or files, and are parsed once, before a port is bound.

use std::{error::Error as _, ffi::OsString, process::exit};

use clap::{
    Parser,
    error::{ContextKind, ErrorKind},
};

mod files;

/// `EX_USAGE` of sysexits.h: the settings make no sense.
pub const EXIT_USAGE: i32 = 64;
/// `EX_SOFTWARE` of sysexits.h: it started and failed.
pub const EXIT_FAILURE: i32 = 70;

const ABOUT_FILES: &str =
    "A secret may stand in a file instead: NAME_FILE names the file with the value of NAME.";

/// Parses the settings of a service. Nonsense ends the process with 64, `--help` with 0.
pub fn parse_or_exit<C: Parser>() -> C {
    parse_from_or_exit(std::env::args_os())
}

/// The same, of a command line that somebody else made.
pub fn parse_from_or_exit<C: Parser>(line: impl IntoIterator<Item = impl Into<OsString>>) -> C {
    try_parse_from(line).unwrap_or_else(|error| {
        let code = if error.use_stderr() { EXIT_USAGE } else { 0 };
        match without_value(&error) {
            Some(sentence) => eprintln!("{sentence}"),
            // Nothing is left to report to if the terminal is gone.
            None => drop(error.print()),
        }
        exit(code)
    })
}

/// The same, for who does not want to end the process.
///
/// # Errors
/// What is wrong with the settings. It may hold the value of a secret: not for logs.
#[expect(
    clippy::disallowed_methods,
    reason = "this is where settings come from the environment"
)]
pub fn try_parse_from<C: Parser>(
    line: impl IntoIterator<Item = impl Into<OsString>>,
) -> Result<C, clap::Error> {
    parse(line, &|name| std::env::var_os(name))
}

fn parse<C: Parser>(
    line: impl IntoIterator<Item = impl Into<OsString>>,
    environment: &dyn Fn(&str) -> Option<OsString>,
) -> Result<C, clap::Error> {
    let mut command = C::command().after_help(ABOUT_FILES);
    let line = line.into_iter().map(Into::into).collect();
    let line = files::with_secrets(&command, line, environment)?;
    let mut matches = command.try_get_matches_from_mut(line)?;
    C::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
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
    use std::{fs, path::PathBuf, process};

    use super::*;

    #[derive(Debug, Parser)]
    struct Config {
        #[arg(long, env, hide_env_values = true)]
        mesh_key: Option<u64>,
        #[arg(long, env, hide_env_values = true)]
        smtp_url: Option<String>,
        /// No secret, although its name would fit.
        #[arg(long, env)]
        terms: Option<String>,
        #[command(subcommand)]
        command: Option<Command>,
    }

    #[derive(Debug, clap::Subcommand)]
    enum Command {
        Look {
            #[arg(long, env, hide_env_values = true)]
            users_url: Option<String>,
        },
    }

    /// A file that is gone with the value.
    struct Written(PathBuf);

    impl Written {
        fn new(name: &str, text: &str) -> Self {
            let path = std::env::temp_dir().join(format!("settings-{}-{name}", process::id()));
            fs::write(&path, text).unwrap();
            Self(path)
        }
    }

    impl Drop for Written {
        fn drop(&mut self) {
            drop(fs::remove_file(&self.0));
        }
    }

    fn parsed(line: &[&str], environment: &[(&str, &Written)]) -> Result<Config, clap::Error> {
        parse(line, &|name| {
            let set = environment.iter().find(|(other, _)| *other == name);
            set.map(|(_, file)| file.0.clone().into_os_string())
        })
    }

    #[test]
    fn a_malformed_secret_is_not_printed() {
        let error = parsed(&["x", "--mesh-key=canary"], &[]).unwrap_err();
        let sentence = without_value(&error).unwrap();
        assert!(!sentence.contains("canary"), "{sentence}");
        assert!(sentence.contains("--mesh-key"), "{sentence}");
        let canary = Written::new("malformed", "canary");
        let error = parsed(&["x"], &[("MESH_KEY_FILE", &canary)]).unwrap_err();
        let sentence = without_value(&error).unwrap();
        assert!(!sentence.contains("canary"), "{sentence}");
    }

    #[test]
    fn a_secret_may_stand_in_a_file() {
        let url = Written::new("url", "-smtp://user:a=b c@host\n");
        let config = parsed(&["x"], &[("SMTP_URL_FILE", &url)]).unwrap();
        assert_eq!(config.smtp_url.as_deref(), Some("-smtp://user:a=b c@host"));
        // The flag goes first.
        let line = ["x", "--smtp-url", "flag"];
        let config = parsed(&line, &[("SMTP_URL_FILE", &url)]).unwrap();
        assert_eq!(config.smtp_url.as_deref(), Some("flag"));
        // What is no secret is not read from a file.
        let config = parsed(&["x"], &[("TERMS_FILE", &url)]).unwrap();
        assert_eq!(config.terms, None);
    }

    #[test]
    fn the_secrets_of_a_subcommand_stand_behind_it() {
        let (key, url) = (Written::new("key", "7\r\n"), Written::new("users", "u"));
        let files = [("MESH_KEY_FILE", &key), ("USERS_URL_FILE", &url)];
        let config = parsed(&["x", "look"], &files).unwrap();
        assert_eq!(config.mesh_key, Some(7));
        let Some(Command::Look { users_url }) = config.command else {
            panic!("the subcommand is lost");
        };
        assert_eq!(users_url.as_deref(), Some("u"));
    }

    #[test]
    fn a_file_that_says_nothing_is_refused() {
        let (empty, gone) = (Written::new("empty", "\n"), Written::new("gone", ""));
        fs::remove_file(&gone.0).unwrap();
        for file in [&empty, &gone] {
            let error = parsed(&["x"], &[("SMTP_URL_FILE", file)]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Io);
            assert!(error.to_string().contains("SMTP_URL_FILE"), "{error}");
        }
        let url = Written::new("twice", "u");
        let both = [("SMTP_URL_FILE", &url), ("SMTP_URL", &url)];
        let error = parsed(&["x"], &both).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ArgumentConflict);
        assert!(error.to_string().contains("SMTP_URL"), "{error}");
    }
}
