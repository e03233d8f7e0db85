"""What products can be described by."""
