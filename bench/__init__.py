"""Load, drills and trials against whole installations. Nothing of the product imports this."""
