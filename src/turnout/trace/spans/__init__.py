"""Spans made of events: ids drawn on the path, spans built beside it, sent on by OpenTelemetry."""
