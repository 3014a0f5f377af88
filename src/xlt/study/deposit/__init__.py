"""Deposits for a journal's data editor: everything that its tables are made of, and the script that makes them."""
