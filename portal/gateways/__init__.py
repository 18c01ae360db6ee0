"""The only rooms that speak to CloudPayments and YooKassa."""
