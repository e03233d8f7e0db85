"""`make demo`: fill the shop through its public API, with a catalogue of its own or from an Online
Retail file.
"""
