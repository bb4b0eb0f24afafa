"""The Ingress, the certificates, the backups: what the overlays promise to the outside."""

import re

from . import render
from .finding import ROOT, SERVICES, Finding

STREAM_SECS = 3600


def of_kind(things, kind):
    return [thing for thing in things if thing["kind"] == kind]


def ingress(name, things):
    for thing in of_kind(things, "Ingress"):
        where = f"{name} {render.label(thing)}"
        notes = thing["metadata"].get("annotations", {})
        if notes.get("nginx.org/proxy-buffering") != "false":
            yield Finding(where, "keeps streams back")
        for what in ("read", "send"):
            if int(notes.get(f"nginx.org/proxy-{what}-timeout", "0s").removesuffix("s")) < STREAM_SECS:
                yield Finding(where, f"cuts streams off ({what})")
        covered = {host for entry in thing["spec"].get("tls", []) for host in entry["hosts"]}
        for rule in thing["spec"]["rules"]:
            if rule["host"] not in covered:
                yield Finding(where, f"{rule['host']} has no TLS")
        public = next(t for t in of_kind(things, "ConfigMap") if t["metadata"]["name"].startswith("installation"))
        if public["data"]["PUBLIC_URL"].removeprefix("https://") not in covered:
            yield Finding(where, "PUBLIC_URL is another host")
        if not public["data"]["TRUSTED_PROXIES"]:
            yield Finding(where, "the gateway trusts no proxy: all guests would count as one")


def mesh_name():
    """The ending of the name in a member's certificate, as the services want it."""
    for source in (ROOT / "crates").rglob("src/**/*.rs"):
        found = re.search(r'format!\("\{\}(\.[a-z.]+\.internal)"', source.read_text(encoding="utf-8"))
        if found:
            return found.group(1)
    return None


def certificates(name, things, ending):
    have = {thing["metadata"]["name"]: thing["spec"] for thing in of_kind(things, "Certificate")}
    for service in SERVICES:
        spec = have.get(f"{service}-mesh")
        if spec is None or spec["dnsNames"] != [f"{service}{ending}"]:
            yield Finding(f"{name} Certificate/{service}-mesh", f"is missing, or does not name {service}{ending}")
        elif not {"server auth", "client auth"} <= set(spec["usages"]) or spec["issuerRef"]["name"] != "mesh":
            yield Finding(f"{name} Certificate/{service}-mesh", "cannot be used on both ends")
    for certificate, spec in have.items():
        hours = {key: int(spec[key].removesuffix("h")) for key in ("duration", "renewBefore")}
        # A week of trouble with cert-manager is no outage.
        if hours["renewBefore"] < 168 or hours["renewBefore"] * 2 > hours["duration"]:
            yield Finding(f"{name} Certificate/{certificate}", "is renewed too late, or all the time")


def databases(name, things):
    cluster = of_kind(things, "Cluster")[0]["spec"]
    roles = {role["name"] for role in cluster["managed"]["roles"]}
    kept = {thing["spec"]["name"] for thing in of_kind(things, "Database")}
    if roles != kept or len(roles) != 4:
        yield Finding(f"{name} Cluster/postgres", f"roles {sorted(roles)} for databases {sorted(kept)}")
    for role in roles:
        if f"hostssl {role} {role} all scram-sha-256" not in cluster["postgresql"]["pg_hba"]:
            yield Finding(f"{name} Cluster/postgres", f"{role} may come in without TLS")
    if name == "dev":
        return
    archivers = [plugin for plugin in cluster.get("plugins", []) if plugin.get("isWALArchiver")]
    stores = {thing["metadata"]["name"] for thing in of_kind(things, "ObjectStore")}
    if not archivers or archivers[0]["parameters"]["barmanObjectName"] not in stores:
        yield Finding(f"{name} Cluster/postgres", "no moment can be brought back: nothing archives what changes")
    if not of_kind(things, "ScheduledBackup"):
        yield Finding(f"{name} Cluster/postgres", "has no backups")
    if cluster["instances"] < 2:
        yield Finding(f"{name} Cluster/postgres", "has no standby")
    if name == "high-availability" and (
        cluster["instances"] < 3 or cluster["postgresql"].get("synchronous", {}).get("number", 0) < 1
    ):
        yield Finding(f"{name} Cluster/postgres", "may lose a commit with a machine")


def findings():
    ending = mesh_name()
    if ending is None:
        yield Finding("crates", "no service says which name its certificate must carry")
    for name in render.OVERLAYS:
        things = render.overlay(name)
        yield from ingress(name, things)
        if ending:
            yield from certificates(name, things, ending)
        yield from databases(name, things)
