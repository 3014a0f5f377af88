"""The screen Breakdown."""
