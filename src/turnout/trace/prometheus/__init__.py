"""Metrics for Prometheus, counted from events as they come. A server has `MetricsRecorder.render` at ``/metrics``."""

from __future__ import annotations

from turnout.trace.prometheus.recorder import Exposition, MetricsRecorder

__all__ = ["Exposition", "MetricsRecorder"]
