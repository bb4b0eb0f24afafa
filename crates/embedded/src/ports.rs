use anyhow::{Context as _, Result, bail};
use aws_lc_rs::rand;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

/// Below the range from which systems take ports for outgoing connections, so that a remembered port is not
/// taken by chance.
const FIRST: u16 = 20_000;
const COUNT: u16 = 10_000;

/// The port in `file` if it is free, else a new one, which is then remembered.
#[expect(
    clippy::disallowed_methods,
    reason = "this crate stands alone and is given no Sources"
)]
pub(crate) fn remembered(file: &Path) -> Result<u16> {
    let before = fs::read_to_string(file).unwrap_or_default();
    if let Ok(port) = before.trim().parse()
        && is_free(port)
    {
        return Ok(port);
    }
    for _ in 0..200 {
        let mut bytes = [0_u8; 2];
        rand::fill(&mut bytes).context("asking the system for randomness")?;
        let port = FIRST + u16::from_le_bytes(bytes) % COUNT;
        if is_free(port) {
            let write = fs::write(file, format!("{port}\n"));
            return write
                .map(|()| port)
                .with_context(|| format!("writing {}", file.display()));
        }
    }
    bail!(
        "found no free port of 127.0.0.1 between {FIRST} and {}",
        FIRST + COUNT
    )
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}
