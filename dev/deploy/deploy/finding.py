"""A broken rule, and where."""

import dataclasses
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[3]

SERVICES = ("gateway", "user-svc", "ticket-svc", "payment-svc", "notify-svc")


@dataclasses.dataclass(frozen=True, order=True)
class Finding:
    where: str
    what: str

    def __str__(self):
        return f"{self.where}: {self.what}"
