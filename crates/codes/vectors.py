#!/usr/bin/env python3
"""Writes docs/ticket-codes.json. Made from the text of docs/ticket-codes.md and none of the Rust code, with
the Ed25519 of the package `cryptography`, so that the examples prove something: `just code-vectors`."""

import hashlib
import json
import uuid
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
ORDER = 2**252 + 27742317777372353535851937790883648493

EVENT = uuid.UUID("0190b6a2-7c1e-7000-8000-0123456789ab")
OTHER_EVENT = uuid.UUID("0190b6a2-7c1e-7000-8000-00000000000c")
SAME_TAG = uuid.UUID("0190b6a2-7c1e-7000-8001-0123456789ab")


def base45(data):
    text = ""
    for at in range(0, len(data), 2):
        number = data[at] * 256 + data[at + 1]
        text += ALPHABET[number % 45] + ALPHABET[number // 45 % 45] + ALPHABET[number // 45 // 45]
    return text


def seed(event, number):
    return hashlib.sha256(f"a published example {event} {number}".encode()).digest()


def key(event, number):
    return Ed25519PrivateKey.from_private_bytes(seed(event, number))


def payload(event, number, ticket, generation, kind):
    numbers = (generation.to_bytes(2, "big"), kind.to_bytes(2, "big"))
    return event.bytes[12:] + number.to_bytes(2, "big") + ticket.bytes + numbers[0] + numbers[1]


def message(event, head):
    return b"boxoffice ticket BX2" + event.bytes + head


def code(event, number, ticket, generation, kind, signer=None):
    head = payload(event, number, ticket, generation, kind)
    signature = (signer or key(event, number)).sign(message(event, head))
    return "BX2" + base45(head + signature), head, signature


def digest(event, ticket, generation):
    text = b"boxoffice dead BX2" + event.bytes + ticket.bytes + generation.to_bytes(2, "big")
    return hashlib.sha256(text).digest()[:8].hex()


def ticket(number):
    return uuid.UUID(int=0x0190B6A27C1E70008000000000000000 + number)


def signed():
    claims = [
        (EVENT, 1, ticket(1), 1, 0),
        (EVENT, 1, ticket(2), 2, 1),
        (EVENT, 2, ticket(3), 65535, 65535),
        (OTHER_EVENT, 1, ticket(4), 1, 3),
        (EVENT, 65535, uuid.UUID(int=0), 1, 0),
        (EVENT, 3, uuid.UUID(int=2**128 - 1), 300, 77),
    ]
    for event, number, of, generation, kind in claims:
        text, head, signature = code(event, number, of, generation, kind)
        yield {
            "event": str(event), "key": number, "ticket": str(of), "generation": generation, "type": kind,
            "payload": head.hex(), "message": message(event, head).hex(), "signature": signature.hex(),
            "code": text,
        }


def malleable(of):
    """The same signature with its second half one group order larger."""
    _, head, signature = code(EVENT, 1, of, 1, 0)
    larger = int.from_bytes(signature[32:], "little") + ORDER
    return "BX2" + base45(head + signature[:32] + larger.to_bytes(32, "little"))


def spliced():
    (_, head, _), (_, _, signature) = code(EVENT, 1, ticket(1), 1, 0), code(EVENT, 1, ticket(2), 1, 0)
    return "BX2" + base45(head + signature)


def door():
    genuine = code(EVENT, 1, ticket(1), 1, 0)[0]
    cases = [
        ("a code", genuine, "OK", False),
        ("a code under a newer key", code(EVENT, 2, ticket(3), 1, 2)[0], "OK", False),
        ("the second code of a ticket", code(EVENT, 2, ticket(5), 2, 0)[0], "OK", False),
        ("the first code of that ticket", code(EVENT, 1, ticket(5), 1, 0)[0], "REVOKED", False),
        ("a ticket that was given back", code(EVENT, 1, ticket(6), 1, 0)[0], "VOID", False),
        ("a key that was revoked", code(EVENT, 3, ticket(7), 1, 0)[0], "REVOKED", False),
        ("a key that is not on the list", code(EVENT, 4, ticket(8), 1, 0)[0], "UNKNOWN", True),
        ("another event", code(OTHER_EVENT, 1, ticket(9), 1, 0)[0], "WRONG_EVENT", False),
        ("another event with the same tag", code(SAME_TAG, 1, ticket(9), 1, 0)[0], "UNKNOWN", False),
        ("signed with another key of the event", code(EVENT, 1, ticket(1), 1, 0, key(EVENT, 2))[0], "UNKNOWN", False),
        ("one ticket with the signature of another", spliced(), "UNKNOWN", False),
        ("the signature in its second form", malleable(ticket(1)), "UNKNOWN", False),
        ("lower case", genuine.lower(), "UNKNOWN", False),
        ("a blank after it", genuine + " ", "UNKNOWN", False),
        ("a letter too few", genuine[:-1], "UNKNOWN", False),
        ("a letter that is none", genuine[:-1] + "ß", "UNKNOWN", False),
        ("a group beyond two bytes", genuine[:-3] + ":::", "UNKNOWN", False),
        ("the first format", "BX1" + "0" * 52, "UNKNOWN", True),
        ("nothing", "", "UNKNOWN", False),
        ("a web address", "https://example.org/", "UNKNOWN", False),
    ]
    return {
        "event": str(EVENT),
        "keys": [{"number": n, "revoked": n == 3} for n in (1, 2, 3)],
        "dead": [
            {"digest": digest(EVENT, ticket(5), 1), "verdict": "REVOKED"},
            {"digest": digest(EVENT, ticket(6), 1), "verdict": "VOID"},
        ],
        "cases": [
            {"why": why, "code": text, "verdict": verdict, "ask": ask} for why, text, verdict, ask in cases
        ],
    }


def main():
    keys = [(EVENT, n) for n in (1, 2, 3, 4, 65535)] + [(OTHER_EVENT, 1), (SAME_TAG, 1)]
    codes = list(signed())
    whole = [one["payload"] + one["signature"] for one in codes]
    vectors = {
        "base45": [{"hex": one, "text": base45(bytes.fromhex(one))} for one in whole],
        "keys": [
            {
                "event": str(event), "number": number, "seed": seed(event, number).hex(),
                "public_key": key(event, number).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex(),
            }
            for event, number in keys
        ],
        "codes": codes,
        "dead": [
            {"event": str(EVENT), "ticket": str(ticket(n)), "generation": g, "digest": digest(EVENT, ticket(n), g)}
            for n, g in ((1, 1), (1, 2), (5, 1), (6, 65535))
        ],
        "door": door(),
    }
    path = Path(__file__).parents[2] / "docs" / "ticket-codes.json"
    path.write_text(json.dumps(vectors, indent=1, ensure_ascii=False) + "\n")


main()
