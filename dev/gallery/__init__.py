"""Every page in every state: photographed by ``make screenshots``, examined by ``make audit``."""
