"""An OpenAI-compatible server of our own, for demonstrations, tests and drills; knows nothing of Django."""
