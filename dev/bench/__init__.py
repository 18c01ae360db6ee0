"""How quickly the product's API and the operator's desk answer with a million rows: ``make bench``."""
