//! Asks Prometheus' own evaluation of the rules as they ship, by `promtool test rules`.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use crate::look::Story;

const RULES: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../ops/prometheus/alerts.yaml"
);

/// Every alert of the rules, with the text of its rule.
pub fn alerts() -> BTreeMap<String, String> {
    let rules = std::fs::read_to_string(RULES).unwrap();
    let rules = rules.split("- alert: ").skip(1);
    let name = |rule: &str| rule.lines().next().unwrap().trim().to_owned();
    rules.map(|rule| (name(rule), rule.to_owned())).collect()
}

/// What is to be seen of an alert.
pub struct Case<'a> {
    pub alert: &'a str,
    pub story: &'a Story,
    /// Until this minute it neither fires nor is about to.
    pub calm_until: usize,
    /// Whether it does in the last minute.
    pub fires: bool,
}

/// Whether all of it is so, or what promtool says.
pub fn judge(cases: Vec<Case<'_>>, folder: &Path) -> Result<(), String> {
    let rules = alerts();
    let mut test = format!("rule_files: [{RULES}]\nevaluation_interval: 1m\ntests:\n");
    let mut names = Vec::new();
    for case in cases {
        let rule = rules.get(case.alert);
        let rule = rule.unwrap_or_else(|| panic!("there is no alert {}", case.alert));
        put(&mut test, &case, rule);
        names.push(case.alert);
    }
    let file = folder.join(format!("{}.yaml", names.join("-")));
    // Of all alerts together the name would be too long.
    let file = if names.len() > 8 {
        folder.join("all.yaml")
    } else {
        file
    };
    std::fs::write(&file, test).unwrap();
    let mut promtool = Command::new(program());
    let done = promtool
        .args(["test", "rules"])
        .arg(&file)
        .output()
        .unwrap();
    if done.status.success() {
        return Ok(());
    }
    let [said, failed] = [done.stdout, done.stderr].map(|text| String::from_utf8(text).unwrap());
    Err(format!("{}: {said}{failed}", file.display()))
}

fn put(test: &mut String, case: &Case<'_>, rule: &str) {
    let Case {
        alert,
        story,
        calm_until,
        ..
    } = case;
    let series = story.text(rule);
    let calm = format!(
        "absent_over_time(ALERTS{{alertname='{alert}'}}[{}m])",
        calm_until + 1
    );
    write!(
        test,
        "- name: {alert}\n  interval: 1m\n  input_series:\n{series}  promql_expr_test:\n  \
         - {{expr: \"{calm}\", eval_time: {calm_until}m, \
         exp_samples: [{{labels: \"{{alertname='{alert}'}}\", value: 1}}]}}\n"
    )
    .unwrap();
    if case.fires {
        let firing = format!("group(ALERTS{{alertname='{alert}', alertstate='firing'}})");
        let end = story.minutes();
        writeln!(
            test,
            "  - {{expr: \"{firing}\", eval_time: {end}m, exp_samples: [{{labels: \"{{}}\", value: 1}}]}}"
        )
        .unwrap();
    }
}

/// The one that `.ci/deploy-tools` has put there, or one that is got now.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let deploy = root.join(".tools/deploy/bin/promtool");
        if deploy.exists() {
            return deploy;
        }
        let folder = root.join("target/promtool");
        let program = folder.join("promtool");
        if !program.exists() {
            let mut get = Command::new(root.join(".ci/promtool"));
            let got = get.arg(&folder).status().unwrap();
            assert!(got.success(), "no promtool: install Prometheus");
        }
        program
    })
}
