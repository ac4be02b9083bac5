"""Reads what was rendered with the parsers of Prometheus' own Python client."""

from __future__ import annotations

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(body: bytes, *, openmetrics: bool = False) -> Samples:
    """Every sample by name and labels."""
    parse = parse_openmetrics if openmetrics else parse_text
    found: Samples = {}
    for family in parse(body.decode("utf-8")):
        for sample in family.samples:
            key = sample.name, frozenset(sample.labels.items())
            assert key not in found, f"{key} stands twice"
            found[key] = sample.value
    return found


def value(of: Samples, name: str, **labels: str) -> float:
    """One sample."""
    return of[name, frozenset(labels.items())]


def total(of: Samples, name: str, **labels: str) -> float:
    """The sum of the samples that have these labels."""
    wanted = set(labels.items())
    return sum(number for (found, has), number in of.items() if found == name and wanted <= has)
