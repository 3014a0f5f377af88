"""Remakes every table of this deposit from what lies in it, and says whether they are those that were deposited.

    python -m pip install -r requirements.txt
    python remake.py

Needs Python 3.11 or newer and the libraries of requirements.txt; the code is that of `code/`, no other. Writes
remade/*.csv. Leaves with 1 when a table differs.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    here = Path(__file__).resolve().parent
    sys.path.insert(0, str(here / "code"))
    sys.dont_write_bytecode = True
    from xlt.study.deposit.check import main

    sys.exit(main(here))
