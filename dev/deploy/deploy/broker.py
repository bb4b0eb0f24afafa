"""The configurations of NATS, read by nats-server itself."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from . import render
from .finding import ROOT, Finding


def faults(config, users, certificates):
    """What nats-server says of a configuration; `users` are the files beside it, by name."""
    program = pathlib.Path(sys.executable).parent / "nats-server"
    with tempfile.TemporaryDirectory() as folder:
        home = pathlib.Path(folder)
        for name, text in users.items():
            for beside in (home, home / "users"):
                beside.mkdir(exist_ok=True)
                (beside / name).write_text(text, encoding="utf-8")
        shutil.copytree(certificates, home / "tls")
        place = home / "nats.conf"
        text = config.replace("/etc/nats/", f"{home}/").replace('"/data"', f'"{home}/data"')
        place.write_text(text, encoding="utf-8")
        done = subprocess.run(
            [program, "-t", "-c", place], env={**os.environ, "POD_NAME": "nats-0"}, capture_output=True, text=True
        )
    if done.returncode:
        yield (done.stdout + done.stderr).strip().replace(folder, "")


def configs():
    """`(where, text)`."""
    yield "ops/compose/nats.conf", (ROOT / "ops/compose/nats.conf").read_text(encoding="utf-8")
    for name in render.OVERLAYS:
        for thing in render.overlay(name):
            if thing["kind"] == "ConfigMap" and "nats.conf" in thing["data"]:
                yield f"{name} {render.label(thing)}", thing["data"]["nats.conf"]


def findings():
    command = [ROOT / "ops/make-secrets", "--kubernetes"]
    made = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    users = next(item["stringData"] for item in made["items"] if item["metadata"]["name"] == "nats")
    with tempfile.TemporaryDirectory() as folder:
        secrets = pathlib.Path(folder) / "secrets"
        subprocess.run([ROOT / "ops/make-secrets", "--files", secrets], check=True)
        for where, text in configs():
            for fault in faults(text, users, secrets / "mesh/gateway"):
                yield Finding(where, fault)
