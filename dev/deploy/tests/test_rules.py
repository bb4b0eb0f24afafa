"""Beside each rule, a bad sample that it must catch."""

import copy
import sys
import pathlib
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from deploy import alerts, broker, compose, edge, network, pods, render, settings  # noqa: E402

PRODUCTION = "production"


def changed(name, kind, of, change):
    """The objects of an overlay, of which one was changed."""
    things = copy.deepcopy(render.overlay(name))
    thing = next(thing for thing in things if thing["kind"] == kind and thing["metadata"]["name"].startswith(of))
    change(thing)
    return things


def pod(thing):
    return thing["spec"]["template"]["spec"]


def container(thing):
    return pod(thing)["containers"][0]


def whats(findings):
    return [finding.what for finding in findings]


class Settings(unittest.TestCase):
    SOURCE = '''
        /// See https://example.org/[x.
        #[arg(long, env, hide_env_values = true)]
        pub database_url: Secret,
        #[arg(
            long,
            env = "LIMIT",
            default_value_t = 6
        )]
        pub most: u32,
        #[arg(long, env)]
        pub terms_file: Option<PathBuf>,
        #[command(flatten)]
        pub telemetry: kit::telemetry::Settings,
    '''

    def test_they_are_read_from_the_source(self):
        asked = []
        found = settings.settings_of_text(self.SOURCE, lambda kind: asked.append(kind) or ())
        self.assertEqual(
            found,
            [
                settings.Setting("DATABASE_URL", True, True),
                settings.Setting("LIMIT", False, False),
                settings.Setting("TERMS_FILE", False, False),
            ],
        )
        self.assertEqual(asked, ["kit::telemetry::Settings"])

    def test_every_service_has_some(self):
        for service in ("gateway", "user-svc", "ticket-svc", "payment-svc", "notify-svc"):
            self.assertIn("METRICS_ADDR", settings.settings(service))

    def test_slips_are_caught(self):
        known = {one.name: one for one in settings.settings_of_text(self.SOURCE)}
        faults = list(settings.faults("x-svc", {"DATABASE_URL": "", "LIMITS": "", "TERMS_FILE": ""}, known))
        self.assertEqual(
            faults,
            ["DATABASE_URL is a secret: give it by DATABASE_URL_FILE", "LIMITS is no setting of x-svc"],
        )
        self.assertEqual(list(settings.faults("x-svc", {"LIMIT": ""}, known)), ["DATABASE_URL is required"])
        self.assertEqual(list(settings.faults("x-svc", {"DATABASE_URL_FILE": ""}, known)), [])


class Compose(unittest.TestCase):
    def setUp(self):
        self.compose = copy.deepcopy(compose.read())

    def test_a_secret_that_nobody_makes(self):
        self.compose["secrets"]["x"] = {"file": ".secrets/x"}
        made = {name for name in self.compose["secrets"] if name != "x"}
        found = whats(compose.secrets_are_made(self.compose, made))
        self.assertEqual(found, ["the secret x is given and not declared, or declared and not given", "does not make x"])

    def test_a_file_that_is_not_there(self):
        self.compose["services"]["gateway"]["secrets"] = []
        found = whats(compose.settings_fit(self.compose, lambda *_: ()))
        self.assertEqual(found, ["gateway: NATS_URL_FILE names a secret that the service is not given"])

    def test_a_certificate_of_somebody_else(self):
        self.compose["services"]["gateway"]["volumes"] = ["./.secrets/mesh/user-svc:/run/mesh:ro"]
        found = whats(compose.certificates_are_their_own(self.compose, {*compose.SERVICES}))
        self.assertEqual(found, ["gateway: has not the certificate of gateway"])

    def test_a_soft_container(self):
        del self.compose["services"]["gateway"]["read_only"]
        self.assertEqual(whats(compose.hardened(self.compose)), ["gateway: its root can be written"])

    def test_a_wrong_port(self):
        self.compose["services"]["gateway"]["environment"]["USER_SVC_URL"] = "https://user-svc:1"
        self.assertEqual(len(whats(compose.addresses_fit(self.compose))), 1)

    def test_an_image_of_root(self):
        text = "FROM debian AS gateway\nUSER root\nENTRYPOINT [x]\n"
        found = whats(compose.images(text))
        self.assertIn("gateway: debian has no version", found)
        self.assertIn("gateway: no user by number who is not root, or no entrypoint", found)
        self.assertIn("has no target user-svc", found)

    def test_a_crate_that_stays_outside(self):
        found = whats(compose.context("*\n!crates\n!Cargo.lock\n!.sqlx\n!.cargo\n!docs/errors\n", ["crates/a", "b"]))
        self.assertEqual(found, ["b does not reach the build"])


class Objects(unittest.TestCase):
    def fault_of(self, kind, of, change):
        things = changed(PRODUCTION, kind, of, change)
        thing = next(thing for thing in things if thing["kind"] == kind and thing["metadata"]["name"].startswith(of))
        return list(render.faults(thing))

    def test_a_field_that_does_not_exist(self):
        cases = [
            ("Deployment", "gateway", lambda thing: thing["spec"].update(replica=2)),
            ("Cluster", "postgres", lambda thing: thing["spec"].update(instance=2)),
            ("Cluster", "postgres", lambda thing: thing["spec"]["postgresql"]["parameters"].update(max_connections=1)),
            ("Certificate", "gateway-mesh", lambda thing: thing["spec"]["privateKey"].update(algorithm="DSA")),
            ("ScheduledBackup", "nightly", lambda thing: thing["spec"].update(schedule="17 3 * * *")),
            ("ObjectStore", "backups", lambda thing: thing["spec"].update(retentionPolicy="a month")),
        ]
        for kind, of, change in cases:
            with self.subTest(kind=kind):
                self.assertEqual(self.fault_of(kind, of, lambda thing: None), [])
                self.assertEqual(len(self.fault_of(kind, of, change)), 1)

    def test_a_kind_that_nobody_knows(self):
        thing = {"apiVersion": "example.org/v1", "kind": "Odd", "metadata": {"name": "x"}, "spec": {}}
        self.assertEqual(list(render.faults(thing)), ["there is no schema of example.org/v1 Odd"])


class Pods(unittest.TestCase):
    def found(self, rule, kind, of, change, *more, name=PRODUCTION):
        return whats(rule(name, changed(name, kind, of, change), *more))

    def test_soft_pods(self):
        cases = [
            (lambda thing: pod(thing)["securityContext"].update(runAsUser=0), "may run as root"),
            (lambda thing: pod(thing)["securityContext"].pop("seccompProfile"), "has no seccomp profile"),
            (lambda thing: container(thing)["securityContext"].pop("allowPrivilegeEscalation"), "may gain privileges"),
            (lambda thing: container(thing)["securityContext"]["capabilities"].update(add=["NET_RAW"]), "keeps capabilities"),
            (lambda thing: container(thing)["securityContext"].pop("readOnlyRootFilesystem"), "can write to its root"),
            (lambda thing: container(thing)["resources"]["limits"].pop("memory"), "has no bounds of processor and memory"),
            (lambda thing: pod(thing).pop("automountServiceAccountToken"), "has a token of Kubernetes"),
            (lambda thing: pod(thing).update(hostNetwork=True), "shares the node's network or processes"),
            (lambda thing: container(thing).update(image="x"), "has no version"),
            (lambda thing: container(thing).pop("livenessProbe"), "has no livenessProbe"),
        ]
        for change, what in cases:
            with self.subTest(what):
                self.assertEqual(self.found(pods.secured, "Deployment", "ticket-svc", change), [f"service {what}"])

    def test_a_probe_at_a_port_that_is_not_there(self):
        change = lambda thing: container(thing)["readinessProbe"]["httpGet"].update(port="grcp")
        found = self.found(pods.secured, "Deployment", "ticket-svc", change)
        self.assertEqual(found, ["readinessProbe asks a port that is not there: grcp"])

    def test_an_end_that_comes_too_soon(self):
        change = lambda thing: pod(thing).update(terminationGracePeriodSeconds=30)
        self.assertEqual(len(self.found(pods.ends_in_time, "Deployment", "ticket-svc", change)), 1)

    def test_a_secret_that_is_not_there(self):
        secrets = pods.known_secrets(render.overlay("dev"), pods.made_secrets())
        change = lambda thing: container(thing)["env"].append({"name": "X_FILE", "value": "/etc/boxoffice/secrets/X"})
        found = self.found(pods.secrets_exist, "Deployment", "ticket-svc", change, secrets, name="dev")
        self.assertEqual(found, ["X_FILE: the secret ticket-svc has no X"])
        change = lambda thing: pod(thing)["volumes"][0]["secret"].update(secretName="x")
        found = self.found(pods.secrets_exist, "Deployment", "ticket-svc", change, secrets, name="dev")
        self.assertIn("nobody makes the secret x", found)

    def test_an_address_where_nobody_is(self):
        change = lambda thing: container(thing)["env"].append({"name": "X", "value": "https://user-svc:50052"})
        found = self.found(pods.addresses_fit, "Deployment", "ticket-svc", change)
        self.assertEqual(found, ["X: nobody is at user-svc:50052"])

    def test_a_service_that_leads_nowhere(self):
        change = lambda thing: thing["spec"]["selector"].update({"app.kubernetes.io/name": "x"})
        self.assertEqual(self.found(pods.selectors_fit, "Service", "user-svc", change), ["selects the pods of 0 workloads"])

    def test_too_few(self):
        change = lambda thing: thing["spec"].update(minReplicas=1)
        found = self.found(pods.replicas, "HorizontalPodAutoscaler", "user-svc", change)
        self.assertEqual(found, ["has 1 of at least 2"])

    def test_too_many_sessions(self):
        change = lambda thing: thing["spec"].update(maxReplicas=100)
        self.assertEqual(len(self.found(pods.sessions, "HorizontalPodAutoscaler", "user-svc", change)), 1)


class Network(unittest.TestCase):
    def found(self, of, change, name=PRODUCTION):
        things = changed(name, "NetworkPolicy", of, change)
        return whats(network.compare(name, things, network.wanted(name, render.overlay(name))))

    def test_the_drawing_is_read(self):
        text = 'const CALLS: [(&str, &str); 1] = [\n    ("gateway", "user-svc"),\n];\n("a", "b")'
        self.assertEqual(network.drawn_calls(text), {("gateway", "user-svc")})

    def test_a_door_too_many_and_one_too_few(self):
        def drop(thing):
            thing["spec"]["ingress"] = []

        found = self.found("payment-svc", drop)
        self.assertIn("gateway → payment-svc:50053: gateway may call, and is not let in", found)
        self.assertIn("gateway → payment-svc:50053 is closed, and gateway calls there", found)

        def open_to_all(thing):
            thing["spec"]["ingress"][0]["from"] = [{"podSelector": {}}]

        self.assertIn(
            "ticket-svc → payment-svc:50053: ticket-svc is let in, and may not call",
            self.found("payment-svc", open_to_all),
        )

    def test_both_sides_open_and_no_call(self):
        things = copy.deepcopy(render.overlay(PRODUCTION))
        for thing in things:
            if thing["kind"] == "NetworkPolicy" and thing["metadata"]["name"] == "user-svc":
                peers = [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "ticket-svc"}}}]
                thing["spec"]["egress"].append({"to": peers, "ports": [{"protocol": "TCP", "port": 50052}]})
            if thing["kind"] == "NetworkPolicy" and thing["metadata"]["name"] == "ticket-svc":
                peers = [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "user-svc"}}}]
                thing["spec"]["ingress"].append({"from": peers, "ports": [{"protocol": "TCP", "port": 50052}]})
        found = whats(network.compare(PRODUCTION, things, network.wanted(PRODUCTION, things)))
        self.assertIn("user-svc → ticket-svc:50052 is open, and nobody calls there", found)

    def test_a_way_out(self):
        found = self.found("ticket-svc", lambda thing: thing["spec"]["egress"].append({"ports": [{"port": 443}]}))
        self.assertIn("ticket-svc may leave the cluster", found)

    def test_nothing_is_denied(self):
        found = self.found("default-deny", lambda thing: thing["spec"].update(policyTypes=["Ingress"]))
        self.assertIn("what is not named is not denied", found)


class Edge(unittest.TestCase):
    def found(self, rule, kind, of, change, *more, name=PRODUCTION):
        return whats(rule(name, changed(name, kind, of, change), *more))

    def test_streams_that_are_cut_off(self):
        def change(thing):
            thing["metadata"]["annotations"]["nginx.org/proxy-read-timeout"] = "60s"
            thing["metadata"]["annotations"]["nginx.org/proxy-buffering"] = "true"
            thing["spec"]["tls"] = []

        found = self.found(edge.ingress, "Ingress", "gateway", change)
        for what in ("keeps streams back", "cuts streams off (read)", "tickets.example.org has no TLS"):
            self.assertIn(what, found)

    def test_a_certificate_of_somebody_else(self):
        change = lambda thing: thing["spec"].update(dnsNames=["x.boxoffice.internal"])
        found = self.found(edge.certificates, "Certificate", "user-svc", change, ".boxoffice.internal")
        self.assertEqual(found, ["is missing, or does not name user-svc.boxoffice.internal"])

    def test_a_database_without_backups(self):
        found = self.found(edge.databases, "Cluster", "postgres", lambda thing: thing["spec"].update(plugins=[], instances=1))
        self.assertEqual(
            found, ["no moment can be brought back: nothing archives what changes", "has no standby"]
        )


class Broker(unittest.TestCase):
    def test_a_word_that_nats_does_not_know(self):
        for text, count in (("server_name: $POD_NAME\n", 0), ("sever_name: x\n", 1), ('include "users/x.conf"\n', 1)):
            found = list(broker.faults(text, {}, pathlib.Path(__file__).parent))
            self.assertEqual(len(found), count, found)


class Alerts(unittest.TestCase):
    METRICS = {"orders_total": "counter", "wait_seconds": "histogram"}
    SERIES = alerts.known(METRICS, {"orders_total": {"kind"}})

    def test_good_questions(self):
        for expression in (
            'sum by (kind) (rate(orders_total{job="x"}[5m])) > 1',
            "histogram_quantile(0.9, sum by (le) (rate(wait_seconds_bucket[5m])))",
            "max(up) == 0 or absent(orders_total)",
        ):
            self.assertEqual(list(alerts.expression_faults(expression, self.SERIES)), [], expression)

    def test_bad_questions(self):
        cases = {
            "orders > 1": "there is no metric orders",
            "wait_seconds > 1": "there is no metric wait_seconds",
            'orders_total{colour="red"} > 1': "orders_total has no label colour",
            "sum by (colour) (orders_total)": "is grouped by colour, which nothing in it has",
            "vector(1)": "asks for no metric",
        }
        for expression, fault in cases.items():
            self.assertEqual(list(alerts.expression_faults(expression, self.SERIES)), [fault])
        self.assertEqual(len(list(alerts.expression_faults("sum(", self.SERIES))), 1)

    def test_the_code_and_the_docs_are_read(self):
        self.assertEqual(alerts.in_source()["http_server_requests_total"], "counter")
        table = "### Metrics\n\n| `a_total` | `x`, `y` | counts |\n| `b` | | is |\n\n## Else\n| `c` | | no |\n"
        self.assertEqual(alerts.in_docs(table), {"a_total": {"x", "y"}, "b": set()})

    def test_a_threshold_between_two_bounds(self):
        known = alerts.bounds("const BUCKETS_SECS: [f64; 3] = [\n    0.5, 2.5, 1_0.0,\n];")
        self.assertEqual(known, {0.5, 2.5, 10.0})
        quantile = "histogram_quantile(0.9, sum by (le) (rate(wait_seconds_bucket[5m])))"
        self.assertEqual(list(alerts.threshold_faults(f"{quantile} > 2.5", known)), [])
        found = list(alerts.threshold_faults(f"{quantile}\n > 5", known))
        self.assertEqual(found, ["looks at 5 s, which is no bound of the histograms"])

    def test_an_alert_that_nobody_brings_about(self):
        found = whats(alerts.drilled_in_life({"A", "B"}, 'fires(&["A"], x)'))
        self.assertEqual(found, ["B is not brought about"])

    def test_an_alert_without_a_page(self):
        rule = {"alert": "Odd", "expr": "up == 0", "labels": {"severity": "loud"}, "annotations": {}}
        self.assertEqual(
            list(alerts.rule_faults(rule, self.SERIES, {"Other"})),
            [
                "its severity is neither page nor ticket",
                "its page is not docs/operations.md#odd",
                "has no page in docs/operations.md",
                "says nothing",
            ],
        )

    def test_an_alert_without_a_drill(self):
        tests = [{"name": "a good day", "alert_rule_test": [{"alertname": "A", "exp_alerts": []}]}]
        found = whats(alerts.drilled({"A"}, tests))
        self.assertEqual(found, ["A fires in no drill"])


if __name__ == "__main__":
    unittest.main()
