"""Tables as LaTeX: `booktabs`, ready to be put into a paper with \\input."""

from __future__ import annotations

from xlt.study.report.parts import Shown, cell_text, is_number

_ESCAPES = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "–": "--",
}  # fmt: skip


def latex(shown: Shown) -> str:
    """The `tabular` of a table, with its title as a comment."""
    table = shown.table
    sides = "".join("r" if any(is_number(row[at]) for row in table.rows) else "l" for at in range(len(table.columns)))
    heads = [
        escaped(shown.heads.get(name, name.replace("_", " ")) + (" %" if name in shown.percent else ""))
        for name in table.columns
    ]
    lines = [
        " & ".join(escaped(cell_text(v, name in shown.percent)) for name, v in zip(table.columns, row, strict=True))
        for row in table.rows
    ]
    body = " \\\\\n".join(lines)
    return (
        f"% {shown.title}\n\\begin{{tabular}}{{{sides}}}\n\\toprule\n{' & '.join(heads)} \\\\\n\\midrule\n"
        f"{body} \\\\\n\\bottomrule\n\\end{{tabular}}\n"
    )


def escaped(text: str) -> str:
    """Text in which nothing is a command."""
    return "".join(_ESCAPES.get(letter, letter) for letter in " ".join(text.split()))
