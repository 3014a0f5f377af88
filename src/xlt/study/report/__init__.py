"""Reports: one HTML file without a network, and every table and figure by itself for a paper."""
