"""Alerts and dashboards, against the metrics that the services really have.

A metric is what stands in `metrics::counter!("…")` and its like, in code that ships. docs/operations.md lists them
with their labels; alerts and dashboards may use these, and nothing else.
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

import promql_parser
import yaml

from .finding import ROOT, Finding

PROMETHEUS = ROOT / "ops/prometheus"
DASHBOARDS = ROOT / "ops/grafana/dashboards"
OPERATIONS = "docs/operations.md"

# In a running box office, by the names that the drill gives to `Watch::fires`.
DRILLS = ROOT / "dev/e2e/tests/alerts"
BUCKETS = ROOT / "crates/telemetry/src/scrape.rs"

MACRO = re.compile(r"metrics::(counter|gauge|histogram)!\(\s*\"([a-z0-9_]+)\"")
# Given by Prometheus itself when it asks a process.
GIVEN = {"job", "instance", "member"}
ENDINGS = {"counter": ("",), "gauge": ("",), "histogram": ("_bucket", "_count", "_sum")}


def in_source():
    """`{name: kind}` of every metric of the code that ships."""
    found = {}
    for source in ROOT.rglob("*.rs"):
        parts = source.relative_to(ROOT).parts
        if parts[0] in ("target", "dev") or "tests" in parts or ".tools" in parts:
            continue
        text = source.read_text(encoding="utf-8").split("#[cfg(test)]")[0]
        found.update({name: kind for kind, name in MACRO.findall(text)})
    return found


def in_docs(text):
    """`{name: labels}` by the table below `### Metrics`."""
    table = text.split("### Metrics", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| `([a-z0-9_]+)` \|([^|]*)\|", table, re.M)
    return {name: set(re.findall(r"`([a-z_]+)`", labels)) for name, labels in rows}


def selectors(expression):
    """Every `(metric, label names it is asked for)` in an expression, and every label it is grouped by."""
    found, grouped = [], set()

    def visit(node):
        if isinstance(node, promql_parser.VectorSelector):
            named = {matcher.name for matcher in node.matchers.matchers}
            found.append((node.name, named))
        elif isinstance(node, promql_parser.MatrixSelector):
            visit(node.vector_selector)
        elif isinstance(node, promql_parser.AggregateExpr):
            if node.modifier is not None:
                grouped.update(node.modifier.labels)
            visit(node.expr)
        elif isinstance(node, promql_parser.BinaryExpr):
            visit(node.lhs)
            visit(node.rhs)
        elif isinstance(node, (promql_parser.ParenExpr, promql_parser.UnaryExpr, promql_parser.SubqueryExpr)):
            visit(node.expr)
        elif isinstance(node, promql_parser.Call):
            for argument in node.args:
                visit(argument)

    visit(promql_parser.parse(expression))
    return found, grouped


def known(metrics, labels):
    """`{series: labels it can have}`."""
    series = {"up": GIVEN}
    for name, kind in metrics.items():
        for ending in ENDINGS[kind]:
            series[name + ending] = labels.get(name, set()) | GIVEN | ({"le"} if ending == "_bucket" else set())
    return series


def expression_faults(expression, series):
    try:
        found, grouped = selectors(expression)
    except ValueError as error:
        yield f"is no PromQL: {error}"
        return
    if not found:
        yield "asks for no metric"
    can_have = set()
    for metric, named in found:
        if metric not in series:
            yield f"there is no metric {metric}"
            continue
        can_have |= series[metric]
        for label in sorted(named - series[metric]):
            yield f"{metric} has no label {label}"
    for label in sorted(grouped - can_have):
        yield f"is grouped by {label}, which nothing in it has"


def rules():
    groups = yaml.safe_load((PROMETHEUS / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def bounds(text):
    """The bounds of histograms of times, in seconds."""
    listed = re.search(r"BUCKETS_SECS: [^=]+= \[([^\]]+)\]", text).group(1)
    return {float(bound.replace("_", "")) for bound in listed.split(",") if bound.strip()}


def threshold_faults(expression, known_bounds):
    """Between two bounds a quantile is a guess: 2.6 s and 9.9 s look the same if the bounds are 2.5 and 10."""
    for threshold in re.findall(r"histogram_quantile\(.*?\)\s*>\s*([0-9.]+)", expression, re.S):
        if float(threshold) not in known_bounds:
            yield f"looks at {threshold} s, which is no bound of the histograms"


def rule_faults(rule, series, headings):
    yield from expression_faults(rule["expr"], series)
    name = rule["alert"]
    if rule["labels"]["severity"] not in ("page", "ticket"):
        yield "its severity is neither page nor ticket"
    wanted = f"{OPERATIONS}#{name.lower()}"
    if rule["annotations"].get("runbook_url") != wanted:
        yield f"its page is not {wanted}"
    if name not in headings:
        yield f"has no page in {OPERATIONS}"
    if not rule["annotations"].get("summary"):
        yield "says nothing"


def drilled_in_life(names, text):
    """Each alert is brought about in a running box office, too."""
    for name in sorted(names):
        if f'"{name}"' not in text:
            yield Finding("dev/e2e/tests/alerts", f"{name} is not brought about")


def drilled(names, tests):
    """Each alert fires in a drill of its own, and is silent on the good day."""
    fires, silent = set(), set()
    for test in tests:
        for case in test["alert_rule_test"]:
            if case["exp_alerts"]:
                fires.add(case["alertname"])
            elif test["name"] == "a good day":
                silent.add(case["alertname"])
    for name in sorted(names - fires):
        yield Finding("ops/prometheus/alerts_test.yaml", f"{name} fires in no drill")
    for name in sorted(names - silent):
        yield Finding("ops/prometheus/alerts_test.yaml", f"{name} is not looked at on the good day")


def expressions(dashboard):
    """`(panel, expression)`, variables filled in as Grafana would."""
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], re.sub(r"\$\{?\w+\}?", "x", target["expr"])
    for variable in dashboard["templating"]["list"]:
        # A name of a data source is a text, a question is an object.
        query = variable["query"] if isinstance(variable["query"], str) else variable["query"]["query"]
        asked = re.fullmatch(r"label_values\((\w+), (\w+)\)", query)
        if asked:
            yield f"variable {variable['name']}", f"count by ({asked.group(2)}) ({asked.group(1)})"


def promtool(*words):
    beside = pathlib.Path(sys.executable).parent / "promtool"
    program = str(beside) if beside.exists() else "promtool"
    done = subprocess.run([program, *words], cwd=PROMETHEUS, capture_output=True, text=True)
    if done.returncode:
        yield Finding(f"promtool {' '.join(words)}", (done.stdout + done.stderr).strip())


def config_faults(path):
    """What Debian's promtool has no word for is put aside: it is built without Kubernetes, and before OTLP."""
    config = yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))
    config.pop("otlp", None)
    for job in config["scrape_configs"]:
        if job.pop("kubernetes_sd_configs", None):
            job["static_configs"] = [{"targets": ["pod:9464"]}]
    with tempfile.TemporaryDirectory() as folder:
        plain = pathlib.Path(folder) / "prometheus.yaml"
        plain.write_text(yaml.safe_dump(config), encoding="utf-8")
        for fault in promtool("check", "config", "--syntax-only", str(plain)):
            yield Finding(path, fault.what)


def findings():
    metrics = in_source()
    operations = (ROOT / OPERATIONS).read_text(encoding="utf-8")
    labels = in_docs(operations)
    for name in sorted(set(metrics) ^ set(labels)):
        where = "is in no code" if name in labels else "is not in the table"
        yield Finding(OPERATIONS, f"the metric {name} {where}")
    series = known(metrics, labels)
    known_bounds = bounds(BUCKETS.read_text(encoding="utf-8"))
    headings = set(re.findall(r"^### (\w+)$", operations, re.M))
    for rule in rules():
        faults = [*rule_faults(rule, series, headings), *threshold_faults(rule["expr"], known_bounds)]
        for fault in faults:
            yield Finding("ops/prometheus/alerts.yaml", f"{rule['alert']} {fault}")
    tests = yaml.safe_load((PROMETHEUS / "alerts_test.yaml").read_text(encoding="utf-8"))["tests"]
    names = {rule["alert"] for rule in rules()}
    yield from drilled(names, tests)
    yield from drilled_in_life(names, "".join(path.read_text(encoding="utf-8") for path in DRILLS.glob("*.rs")))
    uids = set()
    for path in sorted(DASHBOARDS.glob("*.json")):
        dashboard = json.loads(path.read_text(encoding="utf-8"))
        where = str(path.relative_to(ROOT))
        if dashboard["uid"] in uids:
            yield Finding(where, "has the uid of another dashboard")
        uids.add(dashboard["uid"])
        for panel, expression in expressions(dashboard):
            for fault in expression_faults(expression, series):
                yield Finding(where, f"{panel}: {fault}")
        for alert in re.findall(r"Alert: (\w+)", json.dumps(dashboard)):
            if alert not in {rule["alert"] for rule in rules()}:
                yield Finding(where, f"there is no alert {alert}")
    shown = set()
    for path in DASHBOARDS.glob("*.json"):
        for _, expression in expressions(json.loads(path.read_text(encoding="utf-8"))):
            shown |= {re.sub(r"_(bucket|count|sum)$", "", metric) for metric, _ in selectors(expression)[0]}
    for name in sorted(set(metrics) - shown):
        yield Finding("ops/grafana/dashboards", f"nobody shows {name}")
    yield from promtool("check", "rules", "alerts.yaml")
    yield from config_faults("ops/prometheus/kubernetes.yaml")
    yield from config_faults("ops/compose/prometheus.yaml")
    yield from promtool("test", "rules", "alerts_test.yaml")
