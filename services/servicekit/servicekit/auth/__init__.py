"""Who is calling: keys, tokens, revocations, permissions."""
