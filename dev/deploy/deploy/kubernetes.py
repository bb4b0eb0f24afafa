"""k8s/: every overlay, rendered, validated strictly, and held against the rules."""

from . import broker, edge, network, pods, render


def findings():
    yield from render.findings()
    yield from pods.findings()
    yield from network.findings()
    yield from edge.findings()
    yield from broker.findings()
