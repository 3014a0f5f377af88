"""Builds the embedded models `models/xlt-mini-base` and `models/xlt-mini` from our own tweets, offline.

    python scripts/build_xlt_mini.py                                    # the shipped pair, into models/
    python scripts/build_xlt_mini.py --also train.csv --out /tmp/local  # a local pair; never shipped
    python scripts/build_xlt_mini.py --dev [--set task_epochs=4 ...]    # hold the dev part out, score it, save nothing

Labelled files given by --also have the columns text, lang, label. What they hold may not be ours to license, so a
pair made with them is never written into models/.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "src")]

from xlt_mini.build import Plan, build  # noqa: E402
from xlt_mini.learn import Recipe  # noqa: E402
from xlt_mini.network import Shape  # noqa: E402

MODELS = ROOT / "models"


def main(argv: list[str] | None = None) -> int:
    """Parse, check, build; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--also", type=Path, action="append", default=[], metavar="FILE.csv", help="more labelled rows")
    parser.add_argument("--out", type=Path, default=MODELS, help="folder for the two models (default: models/)")
    parser.add_argument("--dev", action="store_true", help="hold the dev part out, score it, write nothing")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change the recipe or shape")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="learn from each Nth row only: for a trial")
    options = parser.parse_args(argv)
    inside = options.out.resolve() == MODELS or MODELS in options.out.resolve().parents
    if options.every != 1 and inside and not options.dev:
        parser.error("a trial must not go into models/: give a folder of your own with --out")
    if options.also and inside and not options.dev:
        parser.error("models made with --also must not go into models/: give a folder of your own with --out")
    for path in options.also:
        if "test" in path.name:
            parser.error(f"{path} looks like a test split: it is never trained on")
    recipe, shape = Recipe(), Shape()
    for setting in options.set:
        name, _, value = setting.partition("=")
        for known in (recipe, shape):
            if name in {field.name for field in fields(known)}:
                changed = replace(known, **{name: type(getattr(known, name))(value)})
                recipe, shape = (changed, shape) if isinstance(changed, Recipe) else (recipe, changed)
                break
        else:
            parser.error(f"neither the recipe nor the shape has a setting {name!r}")
    build(Plan(tuple(options.also), None if options.dev else options.out, recipe, shape, options.every), print)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
