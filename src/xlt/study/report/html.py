"""A report as one HTML file: styles, tables and figures in it, and nothing asked of a network."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping

from xlt.study.report.parts import LONG, Report, Section, Shown

_SHORT = 28
"""Letters of a cell that stay in one line."""
_STYLE = """
:root { color-scheme: light dark; --ink: #1d2430; --dim: #5b6472; --line: #d8dce3; --paper: #ffffff; --band: #f5f6f8; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e8ec; --dim: #9aa3b2; --line: #333a46; --paper: #14171c; --band: #1b2027; }
  figure { background: #ffffff; border-radius: 4px; padding: .6rem; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 2rem 1.2rem 4rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, "Segoe UI", "Noto Sans", "Noto Sans Arabic", "Noto Sans Devanagari", "Noto Sans CJK KR",
  sans-serif; }
h1 { font-size: 1.7rem; margin: 0 0 .3rem; } h2 { font-size: 1.25rem; margin: 2.6rem 0 .6rem; }
h3 { font-size: 1rem; margin: 1.6rem 0 .4rem; }
nav { margin: 1rem 0 0; } nav a { margin-right: 1rem; } a { color: inherit; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; }
th, td { padding: .22rem .9rem .22rem 0; text-align: left; vertical-align: top; }
thead th { border-bottom: 1px solid var(--ink); font-weight: 600; }
tbody tr:nth-child(even) { background: var(--band); }
td.n, th.n { text-align: right; } td { white-space: nowrap; } td.long { white-space: normal; }
summary { cursor: pointer; }
figure { margin: 1rem 0; } figure svg { max-width: 100%; height: auto; }
figcaption, .note { color: var(--dim); font-size: .88rem; }
@media print { html { font-size: 11px; } body { max-width: none; padding: 0; }
  h2, h3 { break-after: avoid; } figure, tr { break-inside: avoid; } .scroll { overflow: visible; }
  table { font-size: .75rem; } th, td { padding-right: .6rem; } }
"""


def page(report: Report, pictures: Mapping[str, str]) -> str:
    """The whole file; `pictures` maps the names of figures to their SVG."""
    links = " ".join(f'<a href="#{each.anchor}">{_text(each.title)}</a>' for each in report.sections)
    body = "\n".join(_section(each, pictures) for each in report.sections)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_text(report.title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{_text(report.title)}</h1>\n<nav>{links}</nav>\n{body}\n</body>\n</html>\n"
    )


def _section(section: Section, pictures: Mapping[str, str]) -> str:
    parts = [f'<h2 id="{section.anchor}">{_text(section.title)}</h2>']
    parts += [f"<p>{_text(words)}</p>" for words in section.words]
    for figure in section.figures:
        drawing = _inline(pictures[figure.name], figure.name)
        parts.append(
            f'<figure role="img" aria-label="{_text(figure.says)}">{drawing}'
            f"<figcaption>{_text(figure.title)}</figcaption></figure>"
        )
    parts += [_table(shown) for shown in section.tables]
    parts += [f'<p class="note">{_text(note)}</p>' for note in section.notes]
    return "\n".join(parts)


def _table(shown: Shown) -> str:
    heads, rows, numeric = shown.printed()
    head = "".join(f"<th{_side(number)}>{_text(words)}</th>" for words, number in zip(heads, numeric, strict=True))
    lines = "\n".join(
        "<tr>"
        + "".join(
            # Each cell turns its own way: an Arabic label must not turn the line.
            f'<td{_side(number, words)} dir="auto">{_text(words)}</td>'
            for words, number in zip(row, numeric, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    whole = f'<div class="scroll"><table><thead><tr>{head}</tr></thead>\n<tbody>\n{lines}\n</tbody></table></div>'
    if len(rows) > 2 * LONG:
        whole = f"<details><summary>{len(rows):,} rows; also in tables/{shown.name}.csv</summary>{whole}</details>"
    return f"<h3>{_text(shown.title)}</h3>\n{whole}"


def _side(numeric: bool, words: str = "") -> str:
    """The class of a cell: numbers stand at the right, long words may be broken into lines."""
    return ' class="n"' if numeric else ' class="long"' if len(words) > _SHORT else ""


def _inline(svg: str, name: str) -> str:
    """An SVG for use inside HTML: without its XML head, its ids made its own."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'(xlink:href|href)="#', rf'\1="#{name}-', svg)
    return re.sub(r"url\(#", f"url(#{name}-", svg)


def _text(text: str) -> str:
    return html.escape(text, quote=True)
