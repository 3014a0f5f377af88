"""The stand-in for the hub, for the tests of this folder."""

from __future__ import annotations

from hub import hub

__all__ = ["hub"]
