"""What every pod must be like: nobody's root, bounded, probed, with settings and secrets that exist."""

import json
import re
import subprocess

from . import render, settings
from .finding import ROOT, SERVICES, Finding

WORKLOADS = ("Deployment", "StatefulSet", "Job")
# Made by CloudNativePG beside each cluster, and by whoever has the object store.
STORE = {"ACCESS_KEY_ID", "ACCESS_SECRET_KEY"}
SECRETS_OF_OTHERS = {"postgres-ca": {"ca.crt"}, "backup-store": STORE, "image-store": STORE}
# Settings that name a folder, and no file of a secret.
FOLDERS = ("HOME", "XDG_CONFIG_HOME", "MP_DATABASE", "IMAGES_STORE", "HANDED_OVER_DIR")
CERTIFICATE = {"tls.crt", "tls.key", "ca.crt"}
# Beside its pool a process keeps a few sessions of its own, for the auditor, for lanes and for mails.
SESSIONS_BESIDE = {"user-svc": 6, "ticket-svc": 6, "payment-svc": 7, "notify-svc": 2}


def templates(things):
    """`(label, pod template, object)` of everything that makes pods."""
    for thing in things:
        if thing["kind"] in WORKLOADS:
            yield render.label(thing), thing["spec"]["template"], thing


def rules(pod, container):
    """Pod Security Standards, profile restricted, and what goes beyond."""
    of_pod, own = pod.get("securityContext", {}), container.get("securityContext", {})
    resources = container.get("resources", {})
    requests, limits = resources.get("requests", {}), resources.get("limits", {})
    return {
        "may run as root": of_pod.get("runAsNonRoot") is True and of_pod.get("runAsUser", 0) > 0,
        "has no seccomp profile": of_pod.get("seccompProfile") == {"type": "RuntimeDefault"},
        "may gain privileges": own.get("allowPrivilegeEscalation") is False,
        "keeps capabilities": own.get("capabilities") == {"drop": ["ALL"]},
        "can write to its root": own.get("readOnlyRootFilesystem") is True,
        "has no bounds of processor and memory": {"cpu", "memory"} <= set(requests) & set(limits),
        "has a token of Kubernetes": pod.get("automountServiceAccountToken") is False,
        "sees the addresses of all services": pod.get("enableServiceLinks") is False,
        "shares the node's network or processes": not {"hostNetwork", "hostPID", "hostIPC"} & set(pod),
        "has no version": re.fullmatch(r".+:[\w.-]+(@sha256:\w+)?", container["image"]) is not None
        and not container["image"].endswith(":latest"),
    }


def secured(name, things):
    for where, template, thing in templates(things):
        pod = template["spec"]
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            for fault, holds in rules(pod, container).items():
                if not holds:
                    yield Finding(f"{name} {where}", f"{container['name']} {fault}")
            if thing["kind"] != "Job":
                for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                    if probe not in container:
                        yield Finding(f"{name} {where}", f"{container['name']} has no {probe}")
                yield from probed(f"{name} {where}", container)


def probed(where, container):
    ports = {port["name"] for port in container["ports"]} | {port["containerPort"] for port in container["ports"]}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        for handler in container.get(probe, {}).values():
            port = handler.get("port") if isinstance(handler, dict) else None
            if port is not None and port not in ports:
                yield Finding(where, f"{probe} asks a port that is not there: {port}")


def ends_in_time(name, things):
    """Between the signal and the kill lies more than the 30 seconds after which a service ends hard."""
    for where, template, thing in templates(things):
        if thing["metadata"]["labels"].get("app.kubernetes.io/component") != "service":
            continue
        pause = template["spec"]["containers"][0].get("lifecycle", {}).get("preStop", {}).get("sleep", {})
        if template["spec"].get("terminationGracePeriodSeconds", 30) < pause.get("seconds", 0) + 32:
            yield Finding(f"{name} {where}", "is killed before it has ended")


def made_secrets(*more):
    """`{name: keys}` of what ops/make-secrets makes."""
    command = [ROOT / "ops/make-secrets", "--kubernetes", *more]
    made = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return {item["metadata"]["name"]: set(item["stringData"]) for item in made["items"]}


def known_secrets(things, made):
    secrets = {**SECRETS_OF_OTHERS, **made}
    for thing in things:
        if thing["kind"] == "Certificate":
            secrets[thing["spec"]["secretName"]] = CERTIFICATE
    return secrets


def files(pod, container):
    """`{path: (secret, key or None)}` of the secrets that a container can read; None stands for every key."""
    volumes = {volume["name"]: volume for volume in pod.get("volumes", [])}
    found = {}
    for mount in container.get("volumeMounts", []):
        secret = volumes.get(mount["name"], {}).get("secret")
        if secret is None:
            continue
        for item in secret.get("items", [{"key": None, "path": ""}]):
            found[f"{mount['mountPath']}/{item['path']}".rstrip("/")] = (secret["secretName"], item["key"])
    return found


def secrets_exist(name, things, secrets):
    for where, template, _ in templates(things):
        pod = template["spec"]
        for volume in pod.get("volumes", []):
            wanted = volume.get("secret")
            if wanted and wanted["secretName"] not in secrets:
                yield Finding(f"{name} {where}", f"nobody makes the secret {wanted['secretName']}")
        for container in pod["containers"]:
            have = files(pod, container)
            for setting in container.get("env", []):
                path = setting.get("value", "")
                if not path.startswith("/") or setting["name"] in FOLDERS:
                    continue
                folder, _, key = path.rpartition("/")
                secret, _ = have.get(path) or have.get(folder) or (None, None)
                if secret is None:
                    yield Finding(f"{name} {where}", f"{setting['name']}: nothing is mounted at {path}")
                elif path not in have and key not in secrets.get(secret, ()):
                    yield Finding(f"{name} {where}", f"{setting['name']}: the secret {secret} has no {key}")


def member(thing, container):
    """Which of ours a container runs."""
    last = container["image"].split("@")[0].rsplit(":", 1)[0].rsplit("/", 1)[-1]
    return last if last in SERVICES else None


def settings_fit(name, things):
    maps = {thing["metadata"]["name"]: thing["data"] for thing in things if thing["kind"] == "ConfigMap"}
    for where, template, thing in templates(things):
        for container in template["spec"]["containers"]:
            ours = member(thing, container)
            given = {}
            for setting in container.get("env", []):
                source = setting.get("valueFrom", {}).get("configMapKeyRef")
                if source and source["key"] not in maps.get(source["name"], {}):
                    yield Finding(f"{name} {where}", f"{setting['name']}: no {source['key']} in {source['name']}")
                if setting["name"] in given:
                    yield Finding(f"{name} {where}", f"{setting['name']} is given twice")
                given[setting["name"]] = setting.get("value", "")
            if ours is None:
                continue
            for fault in settings.faults(ours, given):
                yield Finding(f"{name} {where}", fault)


def addresses_fit(name, things):
    """An address names a Service that there is, and a port of it."""
    ports = {
        thing["metadata"]["name"]: {str(port["port"]) for port in thing["spec"]["ports"]}
        for thing in things
        if thing["kind"] == "Service"
    }
    for where, template, _ in templates(things):
        for container in template["spec"]["containers"]:
            for setting in container.get("env", []):
                for host, port in re.findall(r"[a-z]+://([a-z][a-z-]*):(\d+)", setting.get("value", "")):
                    if port not in ports.get(host, ()):
                        yield Finding(f"{name} {where}", f"{setting['name']}: nobody is at {host}:{port}")


def selects(selector, labels):
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())


def selectors_fit(name, things):
    """A Service and a budget select pods that there are, and a Service's port is a port of theirs."""
    pods = [(template["metadata"]["labels"], template["spec"]) for _, template, _ in templates(things)]
    for thing in things:
        if thing["kind"] == "Service":
            selector = {"matchLabels": thing["spec"]["selector"]}
        elif thing["kind"] == "PodDisruptionBudget":
            selector = thing["spec"]["selector"]
        else:
            continue
        chosen = [pod for labels, pod in pods if selects(selector, labels)]
        if len(chosen) != 1:
            yield Finding(f"{name} {render.label(thing)}", f"selects the pods of {len(chosen)} workloads")
            continue
        have = {port["name"] for container in chosen[0]["containers"] for port in container["ports"]}
        for port in thing["spec"].get("ports", []):
            if port["targetPort"] not in have:
                yield Finding(f"{name} {render.label(thing)}", f"leads to no port {port['targetPort']}")


def replicas(name, things):
    """How many there are at least and at most; a workload that is scaled names no number itself."""
    scaled = {t["spec"]["scaleTargetRef"]["name"]: t["spec"] for t in things if t["kind"] == "HorizontalPodAutoscaler"}
    budgets = {t["metadata"]["name"] for t in things if t["kind"] == "PodDisruptionBudget"}
    least = {"dev": 1, "production": 2, "high-availability": 3}[name]
    for where, _, thing in templates(things):
        of = thing["metadata"]["name"]
        if of not in SERVICES:
            continue
        if of in scaled and "replicas" in thing["spec"]:
            yield Finding(f"{name} {where}", "names a number, and is scaled as well")
        have = scaled[of]["minReplicas"] if of in scaled else thing["spec"].get("replicas", 1)
        if have < least:
            yield Finding(f"{name} {where}", f"has {have} of at least {least}")
        if least > 1 and of not in budgets:
            yield Finding(f"{name} {where}", "has no budget of disruptions")


def sessions(name, things):
    """All processes together have room in PostgreSQL, also while twice as many of one run during an update."""
    most = {
        t["spec"]["scaleTargetRef"]["name"]: t["spec"]["maxReplicas"]
        for t in things
        if t["kind"] == "HorizontalPodAutoscaler"
    }
    cluster = next(thing for thing in things if thing["kind"] == "Cluster")
    room = int(cluster["spec"]["postgresql"]["parameters"]["max_connections"])
    wanted = 20
    for _, template, thing in templates(things):
        environment = {one["name"]: one.get("value") for one in template["spec"]["containers"][0].get("env", [])}
        pool = environment.get("DATABASE_MAX_CONNECTIONS")
        if thing["kind"] == "Deployment" and "DATABASE_URL_FILE" in environment:
            if pool is None:
                yield Finding(f"{name} {render.label(thing)}", "DATABASE_MAX_CONNECTIONS is not given")
                continue
            # One more is there while an update goes on.
            service = thing["metadata"]["name"]
            wanted += (most.get(service, 1) + 1) * (int(pool) + SESSIONS_BESIDE[service])
    if wanted > room:
        yield Finding(f"{name} Cluster/postgres", f"up to {wanted} sessions, and room for {room}")


def findings():
    plain = made_secrets()
    stripe = made_secrets("--stripe-secret-key", "sk_x", "--stripe-webhook-secret", "whsec_x")
    for name in render.OVERLAYS:
        things = render.overlay(name)
        yield from secured(name, things)
        yield from ends_in_time(name, things)
        yield from secrets_exist(name, things, known_secrets(things, plain if name == "dev" else stripe))
        yield from settings_fit(name, things)
        yield from addresses_fit(name, things)
        yield from selectors_fit(name, things)
        yield from replicas(name, things)
        yield from sessions(name, things)
