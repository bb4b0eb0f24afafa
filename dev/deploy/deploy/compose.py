"""compose.yaml, ops/make-secrets, Dockerfile and .dockerignore."""

import pathlib
import re
import subprocess
import tempfile
import tomllib

import yaml

from . import settings
from .finding import ROOT, SERVICES, Finding

FILE = "compose.yaml"
RUN_SECRETS = "/run/secrets/"


def read():
    return yaml.safe_load((ROOT / FILE).read_text(encoding="utf-8"))


def member(name, service):
    """Which of ours a service runs; none for those of others."""
    target = (service.get("build") or {}).get("target")
    return target if target in SERVICES else None


def secret_names(service):
    return {one if isinstance(one, str) else one["source"] for one in service.get("secrets", [])}


def settings_fit(compose, faults=settings.faults):
    for name, service in compose["services"].items():
        ours = member(name, service)
        if ours is None:
            continue
        given = service.get("environment", {})
        for fault in faults(ours, given):
            yield Finding(FILE, f"{name}: {fault}")
        have = secret_names(service)
        for setting, path in given.items():
            is_file = setting.endswith(settings.FILE) and str(path).startswith(RUN_SECRETS)
            if is_file and path.removeprefix(RUN_SECRETS) not in have:
                yield Finding(FILE, f"{name}: {setting} names a secret that the service is not given")


def secrets_are_made(compose, made):
    """Each secret is one that ops/make-secrets writes, and somebody is given it."""
    wanted = set()
    for name, secret in compose["secrets"].items():
        wanted.add(pathlib.Path(secret["file"]).name)
        if secret["file"] != f".secrets/{name}":
            yield Finding(FILE, f"the secret {name} is read from {secret['file']}")
    given = set().union(*(secret_names(service) for service in compose["services"].values()))
    for name in sorted(given ^ set(compose["secrets"])):
        yield Finding(FILE, f"the secret {name} is given and not declared, or declared and not given")
    for name in sorted(wanted - made):
        yield Finding("ops/make-secrets", f"does not make {name}")


def hardened(compose):
    for name, service in compose["services"].items():
        if member(name, service) is None:
            continue
        rules = {
            "its root can be written": service.get("read_only") is True,
            "it keeps capabilities": service.get("cap_drop") == ["ALL"],
            "it may gain privileges": "no-new-privileges:true" in service.get("security_opt", []),
        }
        for what, holds in rules.items():
            if not holds:
                yield Finding(FILE, f"{name}: {what}")


def certificates_are_their_own(compose, made):
    """Each service is given the certificate of its own name, and that is one that is made."""
    for name, service in compose["services"].items():
        ours = member(name, service)
        if ours is None:
            continue
        wanted = f"./.secrets/mesh/{ours}:{service['environment'].get('MESH_CERTS_DIR')}:ro"
        if wanted not in service.get("volumes", []) or ours not in made:
            yield Finding(FILE, f"{name}: has not the certificate of {ours}")


def addresses_fit(compose):
    """An address of another service has the port that it listens on."""
    ports = {}
    for name in SERVICES:
        environment = compose["services"][name]["environment"]
        listen = environment.get("GRPC_ADDR") or environment.get("HTTP_ADDR")
        ports[name] = listen.rsplit(":", 1)[1]
    for name, service in compose["services"].items():
        for setting, value in (service.get("environment") or {}).items():
            for host, port in re.findall(r"https?://([a-z-]+):(\d+)", str(value)):
                if ports.get(host, port) != port:
                    yield Finding(FILE, f"{name}: {setting} is not where {host} listens ({ports[host]})")


def made_secrets():
    with tempfile.TemporaryDirectory() as folder:
        into = pathlib.Path(folder) / "secrets"
        subprocess.run([ROOT / "ops/make-secrets", "--files", into], check=True)
        return {path.name for path in into.iterdir()}, {path.name for path in (into / "mesh").iterdir()}


def images(dockerfile):
    """Every target ends as somebody who is not root, and begins at a pinned image."""
    stages = {}
    for line in dockerfile.splitlines():
        begin = re.match(r"FROM (\S+) AS (\S+)", line)
        if begin:
            base, name = begin.groups()
            # A stage starts as the user of the stage it is built on.
            stages[name] = dict(stages.get(base, {"user": None, "entry": False}), base=base)
            if base not in stages and base != "scratch" and ":" not in base:
                yield Finding("Dockerfile", f"{name}: {base} has no version")
        elif line.startswith("USER "):
            stages[name]["user"] = line.split()[1]
        elif line.startswith("ENTRYPOINT "):
            stages[name]["entry"] = True
    for name in (*SERVICES, "boxoffice"):
        stage = stages.get(name)
        if stage is None:
            yield Finding("Dockerfile", f"has no target {name}")
        elif not re.fullmatch(r"[1-9]\d*:[1-9]\d*", stage["user"] or "") or not stage["entry"]:
            yield Finding("Dockerfile", f"{name}: no user by number who is not root, or no entrypoint")


def context(ignore, members):
    """What a build needs reaches it."""
    let_in = {line[1:] for line in ignore.splitlines() if line.startswith("!")}
    for path in [*members, "Cargo.lock", ".sqlx/query", ".cargo/config.toml", "docs/errors/page"]:
        parents = [path, *(str(parent) for parent in pathlib.PurePosixPath(path).parents)]
        if not let_in.intersection(parents):
            yield Finding(".dockerignore", f"{path} does not reach the build")


def findings():
    compose = read()
    if not settings.reads_files():
        yield Finding("crates", f"compose.yaml gives secrets by {settings.FILE}, and no service reads one")
    yield from settings_fit(compose)
    made, certificates = made_secrets()
    yield from secrets_are_made(compose, made)
    yield from certificates_are_their_own(compose, certificates)
    yield from hardened(compose)
    yield from addresses_fit(compose)
    yield from images((ROOT / "Dockerfile").read_text(encoding="utf-8"))
    workspace = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))["workspace"]
    yield from context((ROOT / ".dockerignore").read_text(encoding="utf-8"), workspace["members"])
