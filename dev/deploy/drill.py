"""The pods of the overlay `dev`, for real, without a cluster: `just k8s-drill`.

Each pod is a process with the settings, secrets and files that its manifest gives it, in mounts of its own; all of them
are in a network of their own, where names lead to one loopback address each. PostgreSQL and the certificates are made
as their operators would. Then the pods are probed as kubelet would, and a guest buys two tickets. Linux, as root.
"""

import argparse
import json
import os
import pathlib
import re
import secrets as random
import shutil
import signal
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

from deploy import render
from deploy.finding import ROOT, SERVICES

PATIENCE_SECS = 60
ADDRESSES = (*SERVICES, "nats", "postgres-rw", "mailpit")
ADDRESS = {name: f"127.0.1.{number}" for number, name in enumerate(ADDRESSES, 1)}
PASSWORD = "correct horse battery staple"


def eventually(what, ask):
    """Asks until the answer is yes; says what did not come true."""
    end = time.monotonic() + PATIENCE_SECS
    while time.monotonic() < end:
        try:
            if answer := ask():
                print(f"ok: {what}")
                return answer
        except OSError:
            pass
        time.sleep(0.5)
    sys.exit(f"not so within {PATIENCE_SECS} s: {what}")


class Mails(socketserver.StreamRequestHandler):
    """As much of a mail server as it takes to be handed a mail."""

    kept = []

    def handle(self):
        def say(line):
            self.wfile.write(line.encode() + b"\r\n")

        say("220 mailpit")
        while line := self.rfile.readline():
            word = line.split(b" ")[0].strip().upper()
            if word == b"DATA":
                say("354 go on")
                mail = b"".join(iter(self.rfile.readline, b".\r\n"))
                self.kept.append(mail.decode(errors="replace"))
            elif word == b"QUIT":
                say("221 bye")
                return
            say("250 ok")


def openssl(*words):
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)


class Authority:
    """Signs certificates, as cert-manager and CloudNativePG do."""

    NEW = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days", "2")

    def __init__(self, folder):
        folder.mkdir()
        self.key, self.certificate = folder / "ca.key", folder / "ca.crt"
        openssl(*self.NEW, "-subj", "/CN=drill", "-keyout", self.key, "-out", self.certificate,
                "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")

    def sign(self, names, key, certificate):
        openssl(*self.NEW, "-subj", "/O=drill", "-CA", self.certificate, "-CAkey", self.key,
                "-keyout", key, "-out", certificate, "-addext", "basicConstraints=critical,CA:FALSE",
                "-addext", "subjectAltName=" + ",".join(f"DNS:{name}" for name in names),
                "-addext", "extendedKeyUsage=serverAuth,clientAuth")


class Cluster:
    def __init__(self, folder, programs):
        self.folder, self.programs, self.processes = folder, programs, []
        self.things = render.overlay("dev")
        self.maps = {thing["metadata"]["name"]: thing["data"] for thing in self.of_kind("ConfigMap")}
        made = subprocess.run([ROOT / "ops/make-secrets", "--kubernetes"], check=True, capture_output=True, text=True)
        self.secrets = {one["metadata"]["name"]: one["stringData"] for one in json.loads(made.stdout)["items"]}
        lines = "".join(f"{address} {name}\n" for name, address in ADDRESS.items())
        (folder / "hosts").write_text("127.0.0.1 localhost\n" + lines, encoding="utf-8")

    def of_kind(self, kind):
        return [thing for thing in self.things if thing["kind"] == kind]

    def start(self, command, log, env=None):
        with open(self.folder / f"{log}.log", "w", encoding="utf-8") as output:
            process = subprocess.Popen(command, env=env, stdout=output, stderr=output, start_new_session=True)
        self.processes.append(process)
        return process

    def stop(self):
        for number in (signal.SIGTERM, signal.SIGKILL):
            for process in reversed(self.processes):
                try:
                    os.killpg(process.pid, number)
                except ProcessLookupError:
                    pass
            time.sleep(3)

    def certificates(self):
        authority = Authority(self.folder / "mesh")
        for thing in self.of_kind("Certificate"):
            spec = thing["spec"]
            if spec.get("isCA"):
                continue
            key, certificate = self.folder / "key", self.folder / "certificate"
            authority.sign(spec["dnsNames"], key, certificate)
            self.secrets[spec["secretName"]] = {
                "tls.crt": certificate.read_text(), "tls.key": key.read_text(), "ca.crt": authority.certificate.read_text()
            }

    def postgres(self):
        spec, data = self.of_kind("Cluster")[0]["spec"], self.folder / "postgres"
        programs = max(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))
        data.mkdir(mode=0o700)
        shutil.chown(data, "postgres", "postgres")
        as_postgres = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups")
        initdb = (programs / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C")
        subprocess.run([*as_postgres, *initdb], check=True, capture_output=True)
        authority = Authority(self.folder / "database")
        authority.sign(["postgres-rw"], data / "server.key", data / "server.crt")
        for name in ("server.key", "server.crt"):
            shutil.chown(data / name, "postgres", "postgres")
            (data / name).chmod(0o600)
        self.secrets["postgres-ca"] = {"ca.crt": authority.certificate.read_text()}
        rules = ["local all all trust", *spec["postgresql"]["pg_hba"], "host all all all scram-sha-256"]
        (data / "pg_hba.conf").write_text("\n".join(rules) + "\n", encoding="utf-8")
        settings = [f"-c{name}={value}" for name, value in spec["postgresql"]["parameters"].items()]
        here = f"-clisten_addresses={ADDRESS['postgres-rw']}"
        self.start([*as_postgres, programs / "postgres", "-D", data, "-k", data, "-cssl=on", here, *settings], "postgres")

        def sql(statement):
            command = [programs / "psql", "-h", data, "-U", "postgres", "-qc", statement]
            return subprocess.run(command, capture_output=True, check=False).returncode == 0

        eventually("PostgreSQL answers", lambda: sql("SELECT 1"))
        for role in spec["managed"]["roles"]:
            secret = self.secrets[role["passwordSecret"]["name"]]
            assert secret["username"] == role["name"] and sql(f"CREATE ROLE {role['name']} LOGIN PASSWORD '{secret['password']}'")
        for thing in self.of_kind("Database"):
            assert sql(f"CREATE DATABASE {thing['spec']['name']} OWNER {thing['spec']['owner']}")

    def volumes(self, pod, name):
        """`{volume: folder}` with what each volume holds."""
        folders = {}
        for volume in pod.get("volumes", []):
            folder = self.folder / "volumes" / name / volume["name"]
            folder.mkdir(parents=True)
            if "secret" in volume:
                have = self.secrets[volume["secret"]["secretName"]]
                wanted = volume["secret"].get("items") or [{"key": key, "path": key} for key in have]
                have = {item["path"]: have[item["key"]] for item in wanted}
            else:
                have = self.maps[volume["configMap"]["name"]] if "configMap" in volume else {}
            for path, text in have.items():
                (folder / path).write_text(text, encoding="utf-8")
            folders[volume["name"]] = folder
        return folders

    def pod(self, name, template, address, program):
        pod, container = template["spec"], template["spec"]["containers"][0]
        folders = self.volumes(pod, name)
        steps, covered = [f"mount --bind {self.folder}/hosts /etc/hosts"], set()
        for mount in container.get("volumeMounts", []):
            folder = folders.setdefault(mount["name"], self.folder / "volumes" / name / mount["name"])
            folder.mkdir(parents=True, exist_ok=True)
            target, top = mount["mountPath"], "/".join(mount["mountPath"].split("/")[:3])
            if top not in covered:
                steps.append(f"mkdir -p {top} && mount -t tmpfs none {top}")
                covered.add(top)
            if "subPath" in mount:
                steps.append(f"touch {target} && mount --bind {folder}/{mount['subPath']} {target}")
            else:
                steps.append(f"mkdir -p {target} && mount --bind {folder} {target}")
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
        for setting in container.get("env", []):
            source = setting.get("valueFrom", {})
            if "configMapKeyRef" in source:
                value = self.maps[source["configMapKeyRef"]["name"]][source["configMapKeyRef"]["key"]]
            else:
                value = setting.get("value", name).replace("0.0.0.0", address)
            environment[setting["name"]] = value
        words = " ".join([str(program), *container.get("args", [])])
        script = " && ".join([*steps, f"exec {words}"])
        return self.start(["unshare", "--mount", "bash", "-c", script], name, environment)


def probe(cluster, which):
    for thing in cluster.of_kind("Deployment"):
        name, container = thing["metadata"]["name"], thing["spec"]["template"]["spec"]["containers"][0]
        if name not in SERVICES:
            continue
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        ask = container[which]["httpGet"]
        address = f"http://{ADDRESS[name]}:{ports[ask['port']]}{ask['path']}"

        def answers(address=address):
            try:
                return urllib.request.urlopen(address, timeout=2).status == 200
            except urllib.error.HTTPError:
                return False

        eventually(f"{name} passes its {which}", answers)


def call(path, body=None, token=None, method=None):
    headers = {"content-type": "application/json", "idempotency-key": random.token_urlsafe(24)}
    if token:
        headers["authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    address = f"http://{ADDRESS['gateway']}:8080/api/v1{path}"
    request = urllib.request.Request(address, data, headers, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def pay(page):
    """The provider's page is at PUBLIC_URL, which here is nobody's; so is where it leads afterwards."""
    address = f"http://{ADDRESS['gateway']}:8080{urllib.parse.urlsplit(page).path}"
    form = urllib.parse.urlencode({"card_number": "4242424242424242", "exp": "12/39", "cvc": "123"}).encode()
    try:
        urllib.request.urlopen(urllib.request.Request(address, form), timeout=10)
    except OSError:
        pass


def buy(setup_token):
    admin = {"email": "boss@example.org", "password": PASSWORD}
    call("/admin/setup", {"setup_token": setup_token, **admin})
    token = call("/auth/login", admin)["access_token"]
    concert = {"title": "Drill", "description": "A drill.", "location": "Here", "date_time": "2039-05-01T20:00:00Z"}
    event = call("/admin/events", {**concert, "timezone": "Europe/Berlin", "currency": "EUR"}, token)
    price = {"amount_minor": 2500, "currency": "EUR"}
    kind = call(f"/admin/events/{event['id']}/ticket-types", {"category": "All", "price": price, "total_stock": 9}, token)
    call(f"/admin/events/{event['id']}", {"status": "active"}, token, "PATCH")
    lines = [{"ticket_type_id": kind["id"], "quantity": 2}]
    hold = call("/holds", {"event_id": event["id"], "lines": lines})
    guest = {"email": "guest@example.org", "phone_number": "+49 30 1234567", "name": "Guest"}
    proof = {"hold_id": hold["id"], "hold_secret": hold["secret"], "expected_total": hold["total"]}
    order = call("/orders", {**guest, **proof})
    pay(order["payment"]["checkout_url"])
    eventually("the order has its tickets", lambda: call(f"/orders/{order['id']}", token=order["secret"])["status"] == "fulfilled")
    eventually("the receipt is in the mailbox", lambda: any("guest@example.org" in mail for mail in Mails.kept))


def run(cluster):
    cluster.certificates()
    cluster.postgres()
    broker = cluster.of_kind("StatefulSet")[0]
    nats = pathlib.Path(sys.executable).parent / "nats-server"
    cluster.pod("nats-0", broker["spec"]["template"], ADDRESS["nats"], nats)
    mails = socketserver.ThreadingTCPServer((ADDRESS["mailpit"], 1025), Mails)
    threading.Thread(target=mails.serve_forever, daemon=True).start()
    for job in cluster.of_kind("Job"):
        template, name = job["spec"]["template"], job["metadata"]["name"]
        program = re.search(r"([a-z-]+):", template["spec"]["containers"][0]["image"]).group(1)
        ended = cluster.pod(name, template, ADDRESS[program], cluster.programs / program).wait(PATIENCE_SECS)
        if ended != 0:
            sys.exit(f"{name} ended with {ended}: {cluster.folder}/{name}.log")
        print(f"ok: {name}")
    for thing in cluster.of_kind("Deployment"):
        name = thing["metadata"]["name"]
        if name in SERVICES:
            cluster.pod(name, thing["spec"]["template"], ADDRESS[name], cluster.programs / name)
    for which in ("livenessProbe", "startupProbe", "readinessProbe"):
        probe(cluster, which)
    buy(cluster.secrets["user-svc"]["SETUP_TOKEN"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=pathlib.Path, default=ROOT / "target/debug")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.inside:
        again = [sys.executable, __file__, "--inside", "--programs", options.programs.resolve()]
        os.execvp("unshare", ["unshare", "--net", "--mount", *map(str, again)])
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with tempfile.TemporaryDirectory(prefix="boxoffice-drill-") as folder:
        os.chmod(folder, 0o755)
        cluster = Cluster(pathlib.Path(folder), options.programs)
        try:
            run(cluster)
        except SystemExit:
            for log in sorted(cluster.folder.glob("*.log")):
                print(f"--- {log.name}", *log.read_text(errors="replace").splitlines()[-5:], sep="\n")
            raise
        finally:
            cluster.stop()


if __name__ == "__main__":
    main()
