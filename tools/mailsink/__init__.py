"""A mail server that delivers nothing: it keeps the last mails in memory, to be read by people and
tests. They hold tokens, so it listens where only this machine reaches it.
"""
