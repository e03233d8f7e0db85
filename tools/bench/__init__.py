"""`make bench`: the figures of the running shop, in turn with their anchors, medians of three,
bounded in time.
"""
