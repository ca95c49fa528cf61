"""Django's SQLite backend with fairer waiting for the writer's place; see base.py (Django demands that name)."""
