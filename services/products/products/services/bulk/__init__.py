"""Changes of many products at once: asked for by staff, done by the worker batch by batch."""
