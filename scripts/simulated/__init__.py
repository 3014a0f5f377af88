"""What `simulate_coverage.py` simulates: samples whose truth is known."""
