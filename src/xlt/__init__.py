"""xlt: classify multilingual tweets with a small language model of one's own, offline."""

__version__ = "0.1.0"
