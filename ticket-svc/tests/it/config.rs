//! The settings: what is missing or makes no sense is refused before anything starts.

use clap::Parser as _;
use testkit::keys;
use ticket_svc::Config;

fn with(extra: &[&str]) -> Result<Config, clap::Error> {
    let (mesh, ring) = (keys::mesh_key(), keys::key_ring());
    let base = [
        "ticket-svc",
        "--database-url",
        "postgres://u:hunter2@localhost/tickets",
    ];
    let keys = [
        "--mesh-key",
        &mesh,
        "--hold-keys",
        &ring,
        "--ticket-code-keys",
        &ring,
    ];
    Config::try_parse_from([&base[..], &keys[..], extra].concat())
}

#[test]
fn defaults_are_those_of_the_documents() {
    let config = with(&[]).unwrap();
    assert_eq!(config.grpc_addr.to_string(), "127.0.0.1:50052");
    assert_eq!(config.hold_ttl_secs, 600);
    assert_eq!(config.card_payment_secs, 900);
    assert_eq!(config.manual_payment_secs, 604_800);
    assert!(!config.grpc_reflection);
}

#[test]
fn nonsense_is_refused() {
    for extra in [
        ["--hold-ttl-secs", "0"],
        ["--hold-ttl-secs", "ten"],
        ["--card-payment-secs", "-1"],
        ["--grpc-addr", "everywhere"],
        ["--grpc-reflection", "perhaps"],
    ] {
        assert!(with(&extra).is_err(), "{extra:?}");
    }
    assert!(Config::try_parse_from(["ticket-svc"]).is_err());
}

#[test]
fn nothing_secret_is_printed() {
    let printed = format!("{:?}", with(&[]).unwrap());
    assert!(!printed.contains("hunter2"), "{printed}");
}
