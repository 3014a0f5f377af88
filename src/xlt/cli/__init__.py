"""The command line: one thin module per verb. Nothing heavy is imported until a verb runs."""

from __future__ import annotations

import os
import sys

# Before any library that might ask a hub: nothing but `xlt models pull` and an explicit push touches the network.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")


def main() -> None:
    """Run `xlt`; leaves with the exit codes of xlt.errors.Exit and never with a traceback for a user's mistake."""
    from xlt.cli.app import app
    from xlt.errors import Exit, XltError

    try:
        app()
    except XltError as error:
        print(f"xlt: {error}", file=sys.stderr)
        sys.exit(error.code)
    except KeyboardInterrupt:
        print("xlt: stopped.", file=sys.stderr)
        sys.exit(Exit.INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output (`| head`) has left; nobody is there to be told.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(Exit.DONE)
