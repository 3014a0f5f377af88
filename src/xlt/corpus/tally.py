"""The SQL of a breakdown: one table of counts per cell, author and label, from which every figure follows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from xlt.corpus import duck
from xlt.corpus.dimensions import Cell
from xlt.corpus.shares import Groups

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from xlt.corpus.bootstrap import Patterns


def _comma(parts: Sequence[str]) -> str:
    """Parts of a select list, each followed by a comma."""
    return "".join(f"{part}, " for part in parts)


def _in(labels: Sequence[str]) -> str:
    return f"label IN ({', '.join(duck.text(label) for label in labels)})"


class Tally:
    """Counts of the selected posts in a temporary table, which lives as long as its connection."""

    def __init__(
        self, con: DuckDBPyConnection, selected: str, params: dict[str, Any], dimensions: int, with_authors: bool
    ) -> None:
        """`selected` is a query with columns k0, k1 …, author, text and label."""
        self._con, self._selected, self._params = con, selected, params
        self._keys = [f"k{position}" for position in range(dimensions)]
        # A hash instead of the name: half the memory, and 64 bits don't collide among the authors of a corpus.
        who = "CASE WHEN author IS NOT NULL THEN hash(author) END" if with_authors else "NULL::UBIGINT"
        con.execute(
            f"CREATE OR REPLACE TEMP TABLE tally AS SELECT {_comma(self._keys)}{who} AS who, label, count(*) AS n "
            f"FROM ({selected}) GROUP BY ALL",
            params,
        )

    def posts(self) -> list[tuple[Cell, str | None, int]]:
        """Posts of each cell and label; the label is None where there is none."""
        query = f"SELECT {_comma(self._keys)}label, sum(n)::BIGINT FROM tally GROUP BY ALL"
        return [(row[:-2], row[-2], row[-1]) for row in self._con.execute(query).fetchall()]

    def texts(self, keyed: bool) -> list[tuple[Cell, str, int]]:
        """Distinct texts of each cell and label, or of each label when not `keyed`."""
        keys = self._keys if keyed else []
        query = (
            f"SELECT {_comma(keys)}label, count(*) FROM (SELECT DISTINCT {_comma(keys)}label, text FROM "
            f"({self._selected}) WHERE label IS NOT NULL AND text IS NOT NULL) GROUP BY ALL"
        )
        return [(row[:-2], row[-2], row[-1]) for row in self._con.execute(query, self._params).fetchall()]

    def authors(
        self, keyed: bool, groups: Groups, labels: Sequence[str]
    ) -> list[tuple[Cell, int, dict[str, int], dict[str, dict[str, float]]]]:
        """(cell, authors, group → authors in its denominator, group → class → sum of the authors' shares)."""
        keys = self._keys if keyed else []
        sums, figures = [], []
        for g, (_, classes) in enumerate(groups.items()):
            members = [label for each in classes.values() for label in each]
            sums.append(f"sum(n) FILTER ({_in(members)}) AS g{g}")
            figures.append(f"count(g{g})")
            for c, each in enumerate(classes.values()):
                sums.append(f"sum(n) FILTER ({_in(each)}) AS g{g}c{c}")
                # Decimals sum to the same in every order; floats do not.
                figures.append(f"coalesce(sum((g{g}c{c} / g{g})::DECIMAL(18, 15)), 0)::DOUBLE")
        rows = self._con.execute(
            f"SELECT {_comma(keys)}count(*), {', '.join(figures)} FROM (SELECT {_comma(keys)}who, {', '.join(sums)} "
            f"FROM tally WHERE who IS NOT NULL AND {_in(labels)} GROUP BY ALL)"
            + (f" GROUP BY {', '.join(keys)}" if keys else "")
        ).fetchall()
        found = []
        for row in rows:
            figure = iter(row[len(keys) + 1 :])
            bases: dict[str, int] = {}
            counts: dict[str, dict[str, float]] = {}
            for group, classes in groups.items():
                bases[group] = next(figure)
                counts[group] = {name: next(figure) for name in classes}
            found.append((row[: len(keys)], row[len(keys)], bases, counts))
        return found

    def activity(self, keyed: bool, labels: Sequence[str]) -> dict[Cell, list[tuple[int, int]]]:
        """Cell → (posts, how many authors have so many); authors that aren't known are in none."""
        keys = self._keys if keyed else []
        rows = self._con.execute(
            f"SELECT {_comma(keys)}each::BIGINT, count(*) FROM (SELECT {_comma(keys)}who, sum(n) AS each FROM tally "
            f"WHERE who IS NOT NULL AND {_in(labels)} GROUP BY ALL) GROUP BY ALL"
        ).fetchall()
        found: dict[Cell, list[tuple[int, int]]] = {}
        for row in rows:
            found.setdefault(row[: len(keys)], []).append((row[-2], row[-1]))
        return found

    def without_author(self, labels: Sequence[str]) -> int:
        """Posts with one of the labels whose author isn't known."""
        query = f"SELECT coalesce(sum(n), 0)::BIGINT FROM tally WHERE who IS NULL AND {_in(labels)}"
        row = self._con.execute(query).fetchone()
        return int(row[0]) if row else 0

    def patterns(self, cells: Sequence[Cell], groups: Groups, labels: Sequence[str], by_author: bool) -> Patterns:
        """What the bootstrap draws from: the given cells, then all together as one more.

        `by_author`: an author counts once in each group, with the shares of the posts. Posts without an author are
        each an author of their own, except `by_author`: then they are left out.
        """
        import numpy as np

        from xlt.corpus.bootstrap import Patterns

        number = {cell: position for position, cell in enumerate(cells)}
        self._number_cells(cells)
        names = list(labels)
        counts = ", ".join(f"coalesce(sum(n) FILTER ({_in([name])}), 0)::BIGINT" for name in names)
        where = f"t.who IS NOT NULL AND {_in(labels)}"
        same = " AND ".join(f"t.{key} IS NOT DISTINCT FROM c.{key}" for key in self._keys) or "true"
        entries = (
            f"SELECT t.who, c.cell, [{counts}] AS counts FROM tally t JOIN cells c ON {same} WHERE {where} "
            f"GROUP BY ALL UNION ALL SELECT t.who, {len(cells)}, [{counts}] FROM tally t WHERE {where} GROUP BY ALL"
        )
        rows = self._con.execute(
            "SELECT signature, count(*) FROM (SELECT list({'cell': cell, 'counts': counts} ORDER BY cell) AS signature "
            f"FROM ({entries}) GROUP BY who) GROUP BY signature ORDER BY signature"
        ).fetchall()
        found = [([(each["cell"], each["counts"]) for each in signature], many) for signature, many in rows]
        for row in [] if by_author else self._anonymous(labels):
            one = [int(name == row[-2]) for name in names]
            found.append(([(number[row[:-2]], one), (len(cells), one)], row[-1]))
        pattern = [position for position, (signature, _) in enumerate(found) for _ in signature]
        cell = [each for signature, _ in found for each, _ in signature]
        parts = np.array([_parts(each, names, groups, by_author) for signature, _ in found for _, each in signature])
        return Patterns(
            np.array([many for _, many in found], np.int64),
            np.array(pattern, np.int64),
            np.array(cell, np.int64),
            parts,
            len(cells) + 1,
        )

    def _anonymous(self, labels: Sequence[str]) -> list[Cell]:
        query = (
            f"SELECT {_comma(self._keys)}label, sum(n)::BIGINT FROM tally WHERE who IS NULL AND {_in(labels)} "
            "GROUP BY ALL ORDER BY ALL"
        )
        return self._con.execute(query).fetchall()

    def _number_cells(self, cells: Sequence[Cell]) -> None:
        keys = ", ".join(self._keys)
        self._con.execute(
            f"CREATE OR REPLACE TEMP TABLE cells AS SELECT {_comma(self._keys)}0 AS cell FROM tally LIMIT 0"
        )
        marks = ", ".join("?" for _ in [*self._keys, "cell"])
        rows = [[*cell, position] for position, cell in enumerate(cells)]
        if rows:
            self._con.executemany(f"INSERT INTO cells ({keys + ', ' if keys else ''}cell) VALUES ({marks})", rows)


def _parts(counts: Sequence[int], labels: Sequence[str], groups: Groups, by_author: bool) -> list[float]:
    """Numerators of every class of every group, from counts of labels."""
    known = dict(zip(labels, counts, strict=True))
    parts: list[float] = []
    for classes in groups.values():
        sums = [sum(known[label] for label in members) for members in classes.values()]
        base = sum(sums) if by_author else 1
        parts += [each / base if base else 0.0 for each in sums]
    return parts
