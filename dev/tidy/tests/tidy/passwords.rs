//! What says how the box office is run holds no password, and starts nothing that has one which everybody knows.

use tidy::{File, Finding, demand};

use crate::PROJECT;

const FILES: [&str; 3] = ["compose.yaml", "Dockerfile", "docker-bake.hcl"];
const FOLDERS: [&str; 2] = ["k8s", "ops"];
const ENDS: [&str; 3] = [".yaml", ".conf", ".sh"];
/// What a setting's name ends with whose value is nobody's business.
const SECRETS: [&str; 6] = ["password", "passwd", "pass", "secret", "token", "pepper"];
/// Only of settings: elsewhere a key is a name.
const SECRET_SETTINGS: [&str; 4] = ["_KEY", "_KEYS", "_CREDENTIAL", "_CREDENTIALS"];
/// An image that has a login of its own, and the lines without which everybody knows it.
const LOGINS: [(&str, &[&str]); 2] = [
    (
        "image: grafana/",
        &[
            "GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION: \"true\"",
            "GF_AUTH_ANONYMOUS_ENABLED: \"true\"",
            "GF_AUTH_ANONYMOUS_ORG_ROLE: Editor",
        ],
    ),
    (
        "image: postgres:",
        &[
            "POSTGRES_PASSWORD_FILE: /run/secrets/",
            "--auth-host=scram-sha-256",
        ],
    ),
];
/// Objects and generators whose values stand beside them.
const HOLDERS: [&str; 3] = ["kind: Secret", "secretGenerator:", "stringData:"];

fn known(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut before = "";
    for (index, line) in file.text.lines().enumerate() {
        let code = line.split(" #").next().unwrap_or_default().trim();
        let is_comment = code.starts_with('#') || code.starts_with("//");
        let holds = settings(code)
            .chain(on_two_lines(before, code))
            .any(|(name, value)| is_secret(name) && is_literal(value))
            || has_password_in_address(code)
            || HOLDERS.contains(&code);
        if holds && !is_comment {
            let what =
                "a secret stands here: read it from a file that is made for one installation";
            findings.push(Finding::new(&file.path, index + 1, what));
        }
        for (image, lines) in LOGINS.iter().filter(|(image, _)| code.starts_with(image)) {
            for needed in lines.iter().filter(|line| !file.text.contains(**line)) {
                let what =
                    format!("`{image}…` has a login that everybody knows without `{needed}`");
                findings.push(Finding::new(&file.path, index + 1, what));
            }
        }
        before = code;
    }
    findings
}

/// Names with their values: `NAME: value`, `NAME=value`, `{ name: NAME, value: value }`, `{a: b, NAME: value}`.
fn settings(code: &str) -> impl Iterator<Item = (&str, &str)> {
    let named = code
        .split_once("name: ")
        .and_then(|(_, rest)| rest.split_once(", value: "));
    let words = code
        .split([' ', ','])
        .filter_map(|word| word.split_once('='));
    let fields = code
        .split(['{', ','])
        .filter_map(|field| field.split_once(": "));
    let whole = code.split_once(": ");
    named.into_iter().chain(whole).chain(fields).chain(words)
}

/// `- name: NAME`, and `value: value` on the line after it.
fn on_two_lines<'c>(before: &'c str, code: &'c str) -> Option<(&'c str, &'c str)> {
    let (_, name) = before.split_once("name: ")?;
    Some((name, code.strip_prefix("value: ")?))
}

fn is_secret(name: &str) -> bool {
    let name = name.trim_start_matches("- ").trim_matches(['"', '\'', ' ']);
    let is_setting = name
        .bytes()
        .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    let lower = name.to_lowercase();
    SECRETS.iter().any(|word| lower.ends_with(word))
        || is_setting && SECRET_SETTINGS.iter().any(|end| name.ends_with(end))
}

/// No path, no variable, no reference, no switch; what stands for a variable that is not set is a literal, too.
fn is_literal(value: &str) -> bool {
    let value = value.trim_matches(['"', '\'', ' ', '}']);
    if let Some((_, instead)) = value.strip_prefix("${").and_then(|v| v.split_once(":-")) {
        return is_literal(instead);
    }
    let is_switch = ["", "true", "false"].contains(&value);
    !is_switch && !value.starts_with(['$', '/', '.', '{', '[', '&', '*', '|', '>', '<'])
}

/// `scheme://name:password@host`, where the password is no variable.
fn has_password_in_address(code: &str) -> bool {
    code.split("://").skip(1).any(|rest| {
        let end = rest.find(['/', ' ', '"', '\'']).unwrap_or(rest.len());
        let proof = rest[..end].rsplit_once('@').map(|(proof, _)| proof);
        let password = proof.and_then(|proof| proof.split_once(':'));
        password.is_some_and(|(_, password)| is_literal(password))
    })
}

/// What makes secrets is a program.
fn runs_it(file: &&File) -> bool {
    let is_setting = ENDS.iter().any(|end| file.path.ends_with(end));
    FILES.contains(&file.path.as_str())
        || is_setting && FOLDERS.iter().any(|folder| file.is_in(folder))
}

#[test]
fn nothing_that_runs_it_holds_a_password() {
    let files: Vec<&File> = PROJECT.files.iter().filter(runs_it).collect();
    assert!(files.len() > 30, "{} files", files.len());
    let found: Vec<Finding> = files.into_iter().flat_map(known).collect();
    demand("no file that runs the box office holds a password", &found);
}

#[test]
fn a_password_is_caught_however_it_is_given() {
    for bad in [
        "  POSTGRES_PASSWORD: postgres",
        "    - GF_SECURITY_ADMIN_PASSWORD=admin",
        "ENV SETUP_TOKEN=abc",
        "ARG SIGNING_SEAL_KEY=\"abc\"",
        "  - { name: SMTP_PASSWORD, value: hunter2 }",
        "default_password = \"x\"\n  admin_password: x",
        "  DATABASE_URL: postgres://users:users@postgres/users",
        "variable \"X\" { default = \"nats://box:office@nats:4222\" }",
        "  POSTGRES_PASSWORD: ${POSTGRES_PASSWORD:-postgres}",
        "  POSTGRES_PASSWORD: \"${POSTGRES_PASSWORD:-postgres}\"",
        "url=postgres://u:${P:-users}@h/users",
        "  - name: SETUP_TOKEN\n    value: changeme",
        "  users: [{user: box, password: office}]",
        "kind: Secret",
        "image: grafana/grafana:12.0.0",
        "image: postgres:18",
    ] {
        assert!(!known(&File::new("compose.yaml", bad)).is_empty(), "{bad}");
    }
    for good in [
        "POSTGRES_PASSWORD_FILE: /run/secrets/postgres.superuser",
        "POSTGRES_PASSWORD: ${POSTGRES_PASSWORD:?}",
        "POSTGRES_PASSWORD: ${POSTGRES_PASSWORD:-}",
        "POSTGRES_PASSWORD: ${POSTGRES_PASSWORD:-$OTHER}",
        "POSTGRES_PASSWORD_FILE: ${FILE:-/run/secrets/postgres}",
        "  - name: SETUP_TOKEN\n    value: $(SETUP_TOKEN)",
        "  - name: SETUP_TOKEN\n    valueFrom: { secretKeyRef: { name: gateway, key: setup-token } }",
        "  users: [{user: box, password: $PASSWORD}]",
        "  passwordSecret: { name: postgres-users }",
        "  secretName: gateway-mesh",
        "automountServiceAccountToken: false",
        "topologyKey: kubernetes.io/hostname",
        "  - -cpassword_encryption=scram-sha-256",
        "url=postgres://users:$password@postgres/users",
        "# PASSWORD: x is what nobody writes",
    ] {
        assert_eq!(known(&File::new("k8s/a.yaml", good)), [], "{good}");
    }
}
