"""How quickly the product's API answers with a million usage records: ``make bench``."""
