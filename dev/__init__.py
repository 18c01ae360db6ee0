"""Around the portal on a developer's machine: servers out of wheels and the supervisor of ``make run``."""
