"""Template tags of the room "who answers"."""
