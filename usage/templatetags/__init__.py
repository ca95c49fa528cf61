"""Template tags of the room "what it costs"."""
