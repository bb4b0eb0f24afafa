//! Settings: what is refused, and what is never shown.

use std::process::{Command, Output};

use clap::Parser as _;
use notify_svc::Config;

const KEY: &str = "Y2FuYXJ5LW9mLWEta2V5LWNhbmFyeS1vZi1hLWtleSE";

/// The real program, with these settings and no others.
fn start(settings: &[(&str, &str)]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_notify-svc"));
    program
        .env_clear()
        .envs(settings.iter().copied())
        .output()
        .unwrap()
}

#[test]
fn debug_shows_no_secret() {
    let config = Config::try_parse_from([
        "notify-svc",
        "--database-url=postgres://notify:canary-db@127.0.0.1/notifications",
        "--nats-url=nats://boxoffice:canary-nats@127.0.0.1:4222",
        "--smtp-url=smtp://tickets:canary-smtp@127.0.0.1:25",
        &format!("--mesh-key={KEY}"),
        &format!("--link-seal-key={KEY}"),
    ]);
    let shown = format!("{:?}", config.unwrap());
    assert!(!shown.contains("canary") && !shown.contains(KEY), "{shown}");
}

#[test]
fn nowhere_to_send_mails_is_a_usage_error() {
    let settings = [
        (
            "DATABASE_URL",
            "postgres://notify:x@127.0.0.1/notifications",
        ),
        ("MESH_KEY", KEY),
        ("LINK_SEAL_KEY", KEY),
    ];
    let output = start(&settings);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        output.status.code(),
        Some(kit::config::EXIT_USAGE),
        "{said}"
    );
    assert!(said.contains("--smtp-url"), "{said}");
}

#[test]
fn help_lists_every_setting_and_no_value_of_a_secret() {
    let settings = [
        ("DATABASE_URL", "postgres://notify:canary@h/n"),
        ("MESH_KEY", KEY),
    ];
    let mut program = Command::new(env!("CARGO_BIN_EXE_notify-svc"));
    let output = program
        .arg("--help")
        .env_clear()
        .envs(settings)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    for setting in [
        "GRPC_ADDR",
        "DATABASE_URL",
        "NATS_URL",
        "SMTP_URL",
        "MAIL_DIR",
        "MAIL_FROM",
    ] {
        assert!(said.contains(setting), "{setting} is missing in:\n{said}");
    }
    assert!(!said.contains("canary") && !said.contains(KEY), "{said}");
}
