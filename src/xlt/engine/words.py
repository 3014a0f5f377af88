"""Spans of time, rates and sizes as a person says them."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """A span of time: `8 s`, `3 min 20 s`, `2 h 18 min`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def count(number: float) -> str:
    """A number with thousands separated; small rates keep a digit after the point."""
    return f"{number:,.1f}" if number < 100 else f"{number:,.0f}"
