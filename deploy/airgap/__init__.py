"""Souk in containers on a host that reaches mirrors of Debian and PyPI but no registry.

Standard library only.
"""
