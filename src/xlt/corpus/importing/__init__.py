"""Brings files of any platform into the corpus: mapping, staging, merging, and what could not be read."""
