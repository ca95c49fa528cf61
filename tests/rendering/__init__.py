"""The rendering corpus: what models really write, and what a reader must see of it."""
