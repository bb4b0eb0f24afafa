use clap::Parser as _;
use user_svc::Config;

#[test]
fn debug_prints_no_secret() {
    let secret = testkit::keys::random_text(32);
    let ring = format!("k1:{secret}");
    let flags = [
        "user-svc".to_owned(),
        format!("--database-url=postgres://user:{secret}@localhost/users"),
        format!("--mesh-key={secret}"),
        format!("--signing-seal-key={secret}"),
        format!("--password-pepper={ring}"),
        format!("--setup-token={secret}"),
        format!("--link-seal-key={secret}"),
        format!("--nats-url=nats://user:{secret}@localhost"),
    ];
    let config = Config::try_parse_from(flags).unwrap();
    let printed = format!("{config:?} {config:#?}");
    assert!(!printed.contains(&secret), "{printed}");
    assert!(printed.contains("bcrypt_cost: 12"), "{printed}");
}

#[test]
fn nonsense_is_refused() {
    let good = [
        "--database-url=postgres://localhost/users".to_owned(),
        format!("--mesh-key={}", testkit::keys::mesh_key()),
        format!("--signing-seal-key={}", testkit::keys::random_text(32)),
        format!("--password-pepper={}", testkit::keys::key_ring()),
        format!("--link-seal-key={}", testkit::keys::random_text(32)),
        "--nats-url=nats://localhost".to_owned(),
        "--bcrypt-cost=16".to_owned(),
    ];
    let parse = |flags: &[String]| {
        Config::try_parse_from(std::iter::once("user-svc".to_owned()).chain(flags.to_vec()))
    };
    parse(&good).unwrap();
    for bad in [
        "--bcrypt-cost=3",
        "--bcrypt-cost=17",
        "--setup-token=short",
        "--mesh-key=short",
        "--signing-seal-key=short",
        "--password-pepper=nonsense",
        "--link-seal-key=short",
        "--public-url=nowhere",
        "--grpc-addr=nowhere",
        "--database-max-connections=0",
    ] {
        let name = bad.split_once('=').unwrap().0;
        let mut flags: Vec<String> = good
            .iter()
            .filter(|flag| !flag.starts_with(name))
            .cloned()
            .collect();
        flags.push(bad.to_owned());
        assert!(parse(&flags).is_err(), "{bad}");
    }
}
