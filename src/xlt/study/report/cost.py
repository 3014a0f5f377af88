"""The chapter of speed and cost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from xlt.errors import XltError
from xlt.study.evaluate import Table
from xlt.study.report.parts import Section, Shown


def bench_section(path: Path) -> Section:
    """Speed and cost, from what `xlt bench --format json` printed. Raises XltError."""
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        loaded = found["loaded"]
        rates = found["rates"]
        hosted = [
            (each["model"], each["per_million"], each["local_percent"], each["announced"]) for each in found["hosted"]
        ]
        words = (
            f"{found['model']} with {loaded['backend']} on {loaded['device']} in {loaded['precision']}: "
            f"{found['tweets_per_second']:,.1f} tweets per second (median of {len(rates)}, from {min(rates):,.1f} to "
            f"{max(rates):,.1f}), {found['peak_memory'] / 1e9:.2f} GB at most, {found['load_seconds']:.1f} s to load."
        )
        own = found["per_million"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise XltError(f"{path} is not what xlt bench --format json prints: {error}.") from None
    section = Section("Speed and cost", [words])
    if own is not None:
        section.words.append(f"A million tweets cost ${own:,.4g} on this machine, by the prices that were given.")
    table = Table(("hosted model", "$ per million tweets", "this machine, % of that", "price of"), hosted)
    section.tables.append(Shown("cost", "What hosted models would charge for the same prompts", table))
    section.notes.append("Token counts are those of the local model's tokenizer; prices are as announced on their day.")
    return section
