"""Classifications: chosen, planned, started, watched, stopped and gone on with."""
