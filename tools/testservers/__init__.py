"""The tests' servers in containers, by testcontainers: run with .venv's Python by
deploy/native/testservers.py.
"""
