"""Measures, intervals and shares, from arrays of labels. Knows no model, no file and no screen."""
