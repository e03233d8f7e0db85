"""The repository's own checks: tests, linters, and documents that are made from the code."""
