"""The settings that the services really have, read from their source.

A setting is a field with `#[arg(…, env …)]`; a flattened struct brings its own. It is required if its type is
no `Option` and it has no default, and secret if its value is hidden from `--help`.
"""

import dataclasses
import functools
import re

from .finding import ROOT, SERVICES

# Read by libraries, without a field.
OPEN_NAMES = {
    "RUST_LOG",
    "RUST_BACKTRACE",
    "OTEL_SERVICE_NAME",
    "OTEL_RESOURCE_ATTRIBUTES",
    "OTEL_TRACES_SAMPLER",
    "OTEL_TRACES_SAMPLER_ARG",
    "OTEL_METRIC_EXPORT_INTERVAL",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_EXPORTER_OTLP_TIMEOUT",
    "OTEL_EXPORTER_OTLP_COMPRESSION",
}
OPEN_PREFIXES = ("OTEL_BSP_",)
# `DATABASE_URL_FILE` names the file that DATABASE_URL is read from.
FILE = "_FILE"

FIELD = re.compile(r"^\s*pub(?:\([a-z]+\))? ([a-z0-9_]+): (.+?),?$")


@dataclasses.dataclass(frozen=True)
class Setting:
    name: str
    required: bool
    secret: bool


def attributes(lines):
    """Pairs of a field's attributes (as one text) and its declaration."""
    pending, depth, text = [], 0, ""
    for line in lines:
        if line.lstrip().startswith("//"):
            continue
        if depth or line.lstrip().startswith("#["):
            text += " " + line.strip()
            depth += line.count("[") - line.count("]")
            if depth <= 0:
                pending.append(text.strip())
                depth, text = 0, ""
            continue
        field = FIELD.match(line)
        if field:
            yield " ".join(pending), field.group(1), field.group(2)
        if line.strip():
            pending = []


def settings_of_text(text, flatten=lambda path: ()):
    found = []
    # Tests build settings of their own.
    text = text.split("#[cfg(test)]")[0]
    for attribute, field, kind in attributes(text.splitlines()):
        if "#[command(flatten)]" in attribute:
            found.extend(flatten(kind))
        if "#[arg(" not in attribute:
            continue
        env = re.search(r"\benv(?:\s*=\s*\"([A-Z0-9_]+)\")?\s*[,)]", attribute)
        if not env:
            continue
        bare = kind.startswith(("Option<", "Vec<", "bool"))
        required = not bare and "default_value" not in attribute and "required_" not in attribute
        name = env.group(1) or field.upper()
        found.append(Setting(name, required, "hide_env_values" in attribute))
    return found


def flattened(kind, root=ROOT):
    """The settings of a struct of a crate: `kit::telemetry::Settings`, or `MeshSettings` where the name says it all.

    A struct of the service itself stands in the same file, which is read anyway."""
    *path, name = kind.split("::")
    for source in sorted(root.glob("crates/*/src/**/*.rs")):
        place = source.relative_to(root / "crates").parts
        if path and path[-1] not in place and path[-1] != source.stem:
            continue
        text = source.read_text(encoding="utf-8")
        if re.search(rf"pub struct {name}\b", text) and "clap::Args" in text:
            return settings_of_text(text, lambda inner: flattened(inner, root))
    if path:
        raise LookupError(f"no crate has the settings {kind}")
    return ()


@functools.cache
def settings(service):
    """`{name: Setting}` of a service."""
    text = (ROOT / service / "src/config.rs").read_text(encoding="utf-8")
    return {one.name: one for one in settings_of_text(text, flattened)}


@functools.cache
def reads_files():
    """Whether the services take a secret from the file that `…_FILE` names."""
    sources = (ROOT / "crates").glob("*/src/**/*.rs")
    return any('{name}_FILE"' in source.read_text(encoding="utf-8") for source in sources)


def base_name(name, known):
    """DATABASE_URL for DATABASE_URL_FILE, unless the service has a setting of the longer name."""
    if name.endswith(FILE) and name not in known:
        return name.removesuffix(FILE)
    return name


def faults(service, given, known=None):
    """What is wrong with the names that a service is given."""
    known = settings(service) if known is None else known
    for name in sorted(given):
        base = base_name(name, known)
        if base in known:
            if base == name and known[base].secret and not base.startswith("OTEL_"):
                yield f"{name} is a secret: give it by {name}{FILE}"
        elif name not in OPEN_NAMES and not name.startswith(OPEN_PREFIXES):
            yield f"{name} is no setting of {service}"
    have = {base_name(name, known) for name in given}
    for setting in known.values():
        if setting.required and setting.name not in have:
            yield f"{setting.name} is required"


if __name__ == "__main__":
    for member in SERVICES:
        for one in settings(member).values():
            marks = ("required " if one.required else "") + ("secret" if one.secret else "")
            print(f"{member:12} {one.name:36} {marks}")
