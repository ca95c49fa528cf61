"""How dates are written: one way in all pages and letters, whether a template asks for the long or the short form."""
