"""Anchor A: the plain Django monolith that our figures are ratios of.

Stock DRF, one row update per purchase, which oversells.

Nothing here is an example to follow.
"""
