"""Who can reach whom in the cluster, against who calls whom in the code.

The code is read where it says so: the arrows in dev/tidy/tests/tidy/calls.rs, and the crates that a service needs
(`auth` watches the keys of user-svc, `db` has a database, `hints` and `events` speak NATS).
"""

import re
import tomllib

from . import pods, render
from .finding import ROOT, SERVICES, Finding

POSTGRES = "postgres"
# What only one overlay or one server has, beyond what services do.
ELSEWHERE = {
    "dev": {("notify-svc", "mailpit", 1025), ("payment-svc", "gateway", 8080)},
    "production": set(),
    "high-availability": {("nats", "nats", 6222)},
}
ALWAYS = {(POSTGRES, POSTGRES, 5432), (POSTGRES, POSTGRES, 8000)}
# Who may leave the cluster: payment providers, the mail server, the bucket of pictures, and for PostgreSQL Kubernetes
# and the object store.
LEAVING = {"gateway", "payment-svc", "notify-svc", POSTGRES}


def drawn_calls(text):
    table = text.split("const CALLS", 1)[1].split("];", 1)[0]
    return set(re.findall(r'\("([a-z-]+)", "([a-z-]+)"\)', table))


def needs(service):
    manifest = tomllib.loads((ROOT / service / "Cargo.toml").read_text(encoding="utf-8"))
    return set(manifest["dependencies"])


def grpc_ports(things):
    return {
        thing["metadata"]["name"]: port["port"]
        for thing in things
        if thing["kind"] == "Service"
        for port in thing["spec"]["ports"]
        if port["name"] == "grpc"
    }


def wanted(name, things):
    """`(who, whom, port)` of every edge that there must be, and of no other."""
    ports = grpc_ports(things)
    calls = drawn_calls((ROOT / "dev/tidy/tests/tidy/calls.rs").read_text(encoding="utf-8"))
    edges = ALWAYS | ELSEWHERE[name]
    for service in SERVICES:
        crates = needs(service)
        if "auth" in crates and service != "user-svc":
            calls.add((service, "user-svc"))
        if "db" in crates:
            edges.add((service, POSTGRES, 5432))
        if crates & {"hints", "events"}:
            edges.add((service, "nats", 4222))
    edges |= {(caller, called, ports[called]) for caller, called in calls}
    for thing in things:
        if thing["kind"] == "Job" and thing["metadata"]["name"].startswith("migrate-"):
            edges.add((thing["metadata"]["name"], POSTGRES, 5432))
    return edges


def workloads(things):
    """`{name: labels}` of all pods; those of PostgreSQL are made by its operator."""
    found = {thing["metadata"]["name"]: template["metadata"]["labels"] for _, template, thing in pods.templates(things)}
    found[POSTGRES] = {"cnpg.io/cluster": POSTGRES}
    return found


def rules(things, direction):
    """`(selector of the pods it is for, peers or None for anybody, ports or None for all)`."""
    peers = {"ingress": "from", "egress": "to"}[direction]
    for thing in things:
        if thing["kind"] != "NetworkPolicy":
            continue
        for rule in thing["spec"].get(direction, []):
            numbers = {port["port"] for port in rule.get("ports", [])} or None
            yield thing["spec"]["podSelector"], rule.get(peers), numbers


def allowed(things, direction):
    """`(pod, other pod, port)` by the policies of one side."""
    there = workloads(things)
    edges = set()
    for selector, peers, numbers in rules(things, direction):
        for own, labels in there.items():
            if not pods.selects(selector, labels):
                continue
            for peer in peers or ():
                if "podSelector" not in peer or "namespaceSelector" in peer:
                    continue
                for other, of_other in there.items():
                    if pods.selects(peer["podSelector"], of_other):
                        edges |= {(own, other, number) for number in numbers or (0,)}
    return edges


def leaving(things):
    """Who may reach addresses that no selector names."""
    there = workloads(things)
    found = set()
    for selector, peers, _ in rules(things, "egress"):
        if peers is None or any("ipBlock" in peer for peer in peers):
            found |= {own for own, labels in there.items() if pods.selects(selector, labels)}
    return found


def denied_by_default(things):
    return any(
        thing["kind"] == "NetworkPolicy"
        and thing["spec"]["podSelector"] == {}
        and set(thing["spec"]["policyTypes"]) == {"Ingress", "Egress"}
        and not thing["spec"].get("ingress")
        and not thing["spec"].get("egress")
        for thing in things
    )


def compare(name, things, expected):
    called = {(caller, callee, port) for callee, caller, port in allowed(things, "ingress")}
    calling = allowed(things, "egress")
    for caller, callee, port in sorted(called ^ calling):
        side = "may call, and is not let in" if (caller, callee, port) in calling else "is let in, and may not call"
        yield Finding(f"{name} NetworkPolicy", f"{caller} → {callee}:{port}: {caller} {side}")
    have = called & calling
    for caller, callee, port in sorted(have - expected):
        yield Finding(f"{name} NetworkPolicy", f"{caller} → {callee}:{port} is open, and nobody calls there")
    for caller, callee, port in sorted(expected - have):
        yield Finding(f"{name} NetworkPolicy", f"{caller} → {callee}:{port} is closed, and {caller} calls there")
    for who in sorted(leaving(things) - LEAVING):
        yield Finding(f"{name} NetworkPolicy", f"{who} may leave the cluster")
    if not denied_by_default(things):
        yield Finding(f"{name} NetworkPolicy", "what is not named is not denied")


def findings():
    for name in render.OVERLAYS:
        things = render.overlay(name)
        yield from compare(name, things, wanted(name, things))
