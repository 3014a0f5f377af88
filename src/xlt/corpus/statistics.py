"""Stata and SPSS files: labels become numbers with value labels, ids stay text, names fit in 32 characters."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xlt.errors import XltError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# What the formats can hold of one text, in bytes; Stata's short strings end at 2045.
LONGEST = {".dta": 2045, ".sav": 32767}
MOST_ROWS = 2_000_000


def write(
    con: DuckDBPyConnection,
    query: str,
    labelled: dict[str, list[str]],
    target: Path,
    suffix: str,
    say: Callable[[str], None],
) -> None:
    """Write the rows of a query. `labelled` says which columns hold labels, in their order (1, 2, 3 …).

    `say` hears how many texts were too long for the format and lost their ends. The formats' library holds all
    rows in memory: more than MOST_ROWS are refused.
    """
    try:
        import pandas  # noqa: F401
        import pyreadstat
    except ImportError:
        raise XltError(
            "Stata and SPSS files need two more libraries: pip install 'xlt[stats]', or export to CSV."
        ) from None
    table = con.sql(f"{_numbered(query, labelled)} LIMIT {MOST_ROWS + 1}").to_arrow_table()
    if table.num_rows > MOST_ROWS:
        raise XltError(
            f"A {suffix} file is made in memory, so xlt writes up to {MOST_ROWS:,} rows; choose fewer with --where or "
            "--langs, or export to Parquet."
        )
    names = _names(table.column_names)
    frame, cut = _frame(table, names, LONGEST[suffix])
    if cut:
        counts = ", ".join(f"{count:,} of {name}" for name, count in cut.items())
        say(
            f"Cut to {LONGEST[suffix]:,} bytes, the longest text that {suffix} holds: {counts}. Parquet and CSV keep "
            "them whole."
        )
    value_labels: dict[str, dict[int | float, str]] = {
        names[column]: dict(enumerate(labels, start=1)) for column, labels in labelled.items()
    }
    captions: list[str | None] = [str(column) for column in table.column_names]
    if suffix == ".sav":
        pyreadstat.write_sav(frame, target, column_labels=captions, variable_value_labels=value_labels)
    else:
        pyreadstat.write_dta(frame, target, version=14, column_labels=captions, variable_value_labels=value_labels)


def _numbered(query: str, labelled: dict[str, list[str]]) -> str:
    replaced = []
    for column, labels in labelled.items():
        whens = " ".join(f"WHEN {_text(label)} THEN {number}" for number, label in enumerate(labels, start=1))
        if whens:
            replaced.append(f"(CASE {column} {whens} END)::INTEGER AS {column}")
    return f"SELECT * REPLACE ({', '.join(replaced)}) FROM ({query})" if replaced else f"SELECT * FROM ({query})"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _names(columns: Sequence[str]) -> dict[str, str]:
    """Names that both formats take: letters, digits and _, at most 32, no digit first, each once in any case."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for column in columns:
        plain = re.sub(r"[^0-9A-Za-z_]", "_", column)[:32]
        plain = name = plain if plain[:1].isalpha() else f"v_{plain}"[:32]
        number = 2
        while name.casefold() in taken:
            name = f"{plain[: 31 - len(str(number))]}_{number}"
            number += 1
        taken.add(name.casefold())
        found[column] = name
    return found


def _frame(table: Any, names: dict[str, str], longest: int) -> tuple[Any, dict[str, int]]:
    """The rows, and for each column with texts that were too long how many."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.types as types

    columns: dict[str, Any] = {}
    cut: dict[str, int] = {}
    for name, column in zip(names.values(), table.columns, strict=True):
        if types.is_string(column.type) or types.is_large_string(column.type):
            packed = [(each or "").replace("\0", "").encode() for each in column.to_pylist()]
            if too_long := sum(len(each) > longest for each in packed):
                cut[name] = too_long
            columns[name] = pd.Series([each[:longest].decode("utf-8", "ignore") for each in packed], dtype=object)
        elif types.is_timestamp(column.type):
            columns[name] = pd.Series(column.cast(pa.timestamp("us")).to_pandas())
        else:
            # Nulls have no place among a whole number's values in either format; a double holds 15 digits.
            columns[name] = pd.Series(column.cast(pa.float64()).to_pandas(), dtype="float64")
    return pd.DataFrame(columns), cut
