"""Tables as LaTeX: `booktabs`, ready to be put into a paper with \\input."""

from __future__ import annotations

from xlt.study.report.parts import LONG, Shown

_LATIN = 0x24F
_ESCAPES = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "–": "--", "†": r"\dag{}", "−": "$-$",
    "<": r"\textless{}", ">": r"\textgreater{}",
}  # fmt: skip


def latex(shown: Shown) -> str:
    """The `tabular` of a table, with its title as a comment."""
    names, rows, numeric = shown.printed()
    sides = "".join("r" if number else "l" for number in numeric)
    heads = " & ".join(map(escaped, names))
    lines = [" & ".join(map(escaped, row)) for row in rows]
    body = " \\\\\n".join(lines)
    long = len(rows) > LONG
    kind, ends = ("longtable", "\\endhead\n") if long else ("tabular", "")
    needs = f"% Needs booktabs{' and longtable' if long else ''}"
    if any(ord(letter) > _LATIN for letter in heads + body):
        needs += "; XeLaTeX or LuaLaTeX and a font with these letters"
    about = f"% {' '.join(shown.title.split())}\n{needs}."
    return (
        f"{about}\n\\begin{{{kind}}}{{{sides}}}\n\\toprule\n{heads} \\\\\n\\midrule\n"
        f"{ends}{body} \\\\\n\\bottomrule\n\\end{{{kind}}}\n"
    )


def escaped(text: str) -> str:
    """Text in which nothing is a command."""
    return "".join(_ESCAPES.get(letter, letter) for letter in " ".join(text.split()))
