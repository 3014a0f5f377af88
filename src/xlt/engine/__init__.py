"""Classify: plan, de-duplicate, batch, score, write shards, resume."""
