"""The YooKassa side of the sandbox."""
