"""Version 1 of the API: one resource per file. What a program relies on is only added to, never changed."""
