"""The screen Label."""
