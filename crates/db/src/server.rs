use sqlx::{
    ConnectOptions as _,
    postgres::{PgConnectOptions, PgSslMode},
};

/// The server that a URL of libpq's kind names. Its TLS is what `sslmode`, `sslrootcert`, `sslcert` and `sslkey` say,
/// and where the URL says nothing, libpq's variables (`PGSSLMODE`, `PGSSLROOTCERT` and so on), which the driver reads;
/// the files are read for each session, so that they may change.
///
/// With an authority the server must be verified: the driver, unlike libpq, would read the file and believe anybody.
pub(crate) fn server(url: &str) -> sqlx::Result<PgConnectOptions> {
    checked(url.parse()?)
}

/// Whoever has said it: the rule is about what is meant, not about where it stands.
fn checked(options: PgConnectOptions) -> sqlx::Result<PgConnectOptions> {
    let verified = is_verified(&options);
    if names_an_authority(&options) && !verified {
        let why =
            "sslrootcert (or PGSSLROOTCERT) goes with sslmode=verify-full or sslmode=verify-ca";
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

/// The driver tells it only in a URL. Names that could not stand in one are left out of it.
fn names_an_authority(options: &PgConnectOptions) -> bool {
    let options = options.clone().host("localhost").username("u");
    let url = options.to_url_lossy();
    url.query_pairs().any(|(name, _)| name == "sslrootcert")
}

/// A path is the folder of a socket.
fn is_this_machine(host: &str) -> bool {
    kit::is_this_machine(host) || host.starts_with('/')
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

    /// As the driver takes it from the environment: the URL says nothing of it.
    #[test]
    fn an_authority_of_the_environment_is_named_to_be_asked() {
        let of_environment = |mode| {
            let options: PgConnectOptions = "postgres://u:p@db/x?hostaddr=::1".parse().unwrap();
            checked(options.ssl_root_cert("/ca.crt").ssl_mode(mode))
        };
        for mode in [PgSslMode::VerifyFull, PgSslMode::VerifyCa] {
            assert!(of_environment(mode).is_ok(), "{mode:?}");
        }
        for mode in [PgSslMode::Prefer, PgSslMode::Require, PgSslMode::Disable] {
            let refused = of_environment(mode).unwrap_err();
            assert!(matches!(refused, sqlx::Error::Configuration(_)), "{mode:?}");
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
