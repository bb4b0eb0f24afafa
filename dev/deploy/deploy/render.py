"""The overlays as Kubernetes would get them, and what each object must look like."""

import functools
import pathlib
import shutil
import subprocess
import sys

import jsonschema
import kubernetes_validate
import yaml

from .finding import ROOT, Finding

OVERLAYS = ("dev", "production", "high-availability")
# The newest that the package has schemas of; everything used is older.
KUBERNETES = "1.37"
SCHEMAS = ROOT / "dev/deploy/schemas"


def kubectl():
    """The one beside the Python that runs, which is pinned; else the one on the PATH."""
    beside = pathlib.Path(sys.executable).parent / "kubectl"
    return str(beside) if beside.exists() else shutil.which("kubectl")


@functools.cache
def overlay(name):
    """The objects of an overlay."""
    folder = ROOT / "k8s/overlays" / name
    text = subprocess.run([kubectl(), "kustomize", folder], check=True, capture_output=True, text=True).stdout
    return list(yaml.safe_load_all(text))


@functools.cache
def own_schemas():
    schemas = {}
    for path in sorted(SCHEMAS.glob("*.yaml")):
        schemas.update(yaml.safe_load(path.read_text(encoding="utf-8"))["kinds"])
    return schemas


def label(thing):
    return f"{thing['kind']}/{thing['metadata']['name']}"


def faults(thing):
    """What Kubernetes, or the operator whose object it is, would refuse."""
    version, kind = thing["apiVersion"], thing["kind"]
    schema = own_schemas().get(f"{version}/{kind}")
    if schema is None:
        try:
            kubernetes_validate.validate(thing, KUBERNETES, strict=True)
        except kubernetes_validate.ValidationError as error:
            yield f"{'.'.join(str(part) for part in error.path)}: {error.message}"
        except kubernetes_validate.SchemaNotFoundError:
            yield f"there is no schema of {version} {kind}"
        return
    extra = set(thing) - {"apiVersion", "kind", "metadata", "spec"}
    if extra:
        yield f"unknown fields {sorted(extra)}"
    for error in jsonschema.Draft202012Validator(schema).iter_errors(thing["spec"]):
        yield f"spec.{'.'.join(str(part) for part in error.path)}: {error.message}"


def findings():
    for name in OVERLAYS:
        things = overlay(name)
        seen = set()
        for thing in things:
            where = f"{name} {label(thing)}"
            for fault in faults(thing):
                yield Finding(where, fault)
            if label(thing) in seen:
                yield Finding(where, "is there twice")
            seen.add(label(thing))
            spaced = thing["kind"] not in ("Namespace",)
            if spaced and thing["metadata"].get("namespace") != "boxoffice":
                yield Finding(where, "is in no namespace, or in another one")
