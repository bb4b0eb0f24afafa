use sqlx::postgres::{PgConnectOptions, PgSslMode};
use std::net::IpAddr;

/// The server that a URL of libpq's kind names. Its TLS is what `sslmode`, `sslrootcert`, `sslcert` and `sslkey` say;
/// the files are read for each session, so that they may change.
///
/// With `sslrootcert` the server must be verified: the driver, unlike libpq, would read the file and believe anybody.
pub(crate) fn server(url: &str) -> sqlx::Result<PgConnectOptions> {
    let options: PgConnectOptions = url.parse()?;
    let verified = is_verified(&options);
    if names_an_authority(url) && !verified {
        let why = "sslrootcert goes with sslmode=verify-full or sslmode=verify-ca";
        return Err(sqlx::Error::Configuration(why.into()));
    }
    let host = options.get_host();
    if !verified && !is_this_machine(host) {
        tracing::warn!(
            host,
            "who answers as the database is not verified; sslmode=verify-full does that"
        );
    }
    Ok(options)
}

fn is_verified(options: &PgConnectOptions) -> bool {
    let mode = options.get_ssl_mode();
    matches!(mode, PgSslMode::VerifyFull | PgSslMode::VerifyCa)
}

/// Under each name that the driver takes for it.
fn names_an_authority(url: &str) -> bool {
    let parameters = url.split_once('?').map_or("", |(_, parameters)| parameters);
    parameters.split('&').any(|parameter| {
        let name = parameter.split('=').next().unwrap_or_default();
        matches!(name, "sslrootcert" | "ssl-root-cert" | "ssl-ca")
    })
}

/// A path is the folder of a socket.
fn is_this_machine(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let loopback = address.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    loopback || host == "localhost" || host.starts_with('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_is_named_to_be_asked() {
        for good in [
            "postgres://u:p@db/x",
            "postgres://u:p@db/x?sslmode=require",
            "postgres://u:p@db/x?sslmode=verify-full&sslrootcert=/ca.crt",
            "postgres://u:p@db/x?sslrootcert=/ca.crt&sslmode=verify-ca",
        ] {
            assert!(server(good).is_ok(), "{good}");
        }
        for bad in [
            "postgres://u:p@db/x?sslrootcert=/ca.crt",
            "postgres://u:p@db/x?sslmode=require&sslrootcert=/ca.crt",
            "postgres://u:p@db/x?sslmode=prefer&ssl-ca=/ca.crt",
        ] {
            let refused = server(bad).unwrap_err();
            assert!(matches!(refused, sqlx::Error::Configuration(_)), "{bad}");
        }
    }

    #[test]
    fn this_machine() {
        for here in ["127.0.0.1", "::1", "[::1]", "localhost", "/run/postgresql"] {
            assert!(is_this_machine(here), "{here}");
        }
        for elsewhere in ["10.0.0.1", "db", "localhost.example"] {
            assert!(!is_this_machine(elsewhere), "{elsewhere}");
        }
    }
}
