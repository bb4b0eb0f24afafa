//! Secrets that stand in files: `MESH_KEY_FILE` names the file with the value of `MESH_KEY`.

use std::{ffi::OsString, fs};

use clap::{Arg, Command, Error, error::ErrorKind};

/// Puts what the files say into the command line, where a flag goes before the environment.
///
/// # Errors
/// If a file cannot be read or is empty, and if a secret is given twice: nobody could say which one counts.
pub(crate) fn with_secrets(
    command: &Command,
    line: Vec<OsString>,
    environment: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Vec<OsString>, Error> {
    let mut whole = line.clone();
    // From the back to the front, so that places found before stay right.
    let called = line
        .iter()
        .enumerate()
        .skip(1)
        .find_map(|(at, word)| Some((at, command.find_subcommand(word)?)));
    if let Some((at, subcommand)) = called {
        let flags = flags(subcommand, &line, environment)?;
        whole.splice(at + 1..at + 1, flags);
    }
    let flags = flags(command, &line, environment)?;
    whole.splice(1.min(whole.len())..1.min(whole.len()), flags);
    Ok(whole)
}

fn flags(
    command: &Command,
    line: &[OsString],
    environment: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Vec<OsString>, Error> {
    let secrets = command
        .get_arguments()
        .filter(|one| one.is_hide_env_values_set());
    let mut flags = Vec::new();
    for secret in secrets {
        flags.extend(flag(secret, line, environment)?);
    }
    Ok(flags)
}

fn flag(
    secret: &Arg,
    line: &[OsString],
    environment: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Option<OsString>, Error> {
    let (Some(name), Some(long)) = (
        secret.get_env().and_then(|name| name.to_str()),
        secret.get_long(),
    ) else {
        return Ok(None);
    };
    let long = format!("--{long}");
    let on_the_line = line.iter().filter_map(|word| word.to_str()).any(|word| {
        word.strip_prefix(&long)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
    });
    let Some(path) = environment(&format!("{name}_FILE")) else {
        return Ok(None);
    };
    if on_the_line {
        return Ok(None);
    }
    let refuse = |kind, why: String| Error::raw(kind, format!("{name}_FILE {why}\n"));
    if environment(name).is_some() {
        let why = format!("and {name} are both set; one of them has to go");
        return Err(refuse(ErrorKind::ArgumentConflict, why));
    }
    let text = fs::read_to_string(path)
        .map_err(|error| refuse(ErrorKind::Io, format!("cannot be read: {error}")))?;
    // What an editor puts behind the last line is not part of it.
    let value = text.trim_end_matches(['\n', '\r']);
    if value.is_empty() {
        return Err(refuse(ErrorKind::Io, "names an empty file".to_owned()));
    }
    Ok(Some(format!("{long}={value}").into()))
}
