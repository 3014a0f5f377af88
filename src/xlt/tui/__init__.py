"""The terminal app over a workspace, on the same functions as the command line. No SQL and no model code here."""
