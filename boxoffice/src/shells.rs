//! What shells need to complete the command line.

use std::io::{self, Write as _};

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::Config;

/// Writes them to standard output.
pub fn completions(shell: Shell) -> io::Result<()> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Config::command(), "boxoffice", &mut text);
    io::stdout().write_all(&text)
}
