"""The second factor: its codes, and the log-in in two steps."""
