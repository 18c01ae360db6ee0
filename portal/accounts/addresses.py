"""E-mail addresses: one spelling for one mailbox."""

from __future__ import annotations

from email_validator import EmailNotValidError, validate_email


def normal(text: str) -> str | None:
    """The spelling that is kept and compared (lower case, the domain as the DNS writes it), or None when it
    is no address.
    """
    try:
        # Whether mail arrives there is found out by the letter; reserved domains are what tests and demos
        # use.
        found = validate_email(
            text.strip(),
            check_deliverability=False,
            allow_smtputf8=False,
            test_environment=True,
            strict=True,
            globally_deliverable=False,
        )
    except EmailNotValidError:
        return None
    domain = found.ascii_domain.lower()
    if "." not in domain or domain.startswith("["):
        return None
    return f"{found.local_part.lower()}@{domain}"
