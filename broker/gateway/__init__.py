"""The gateway: the HTTP API, the flows of a bulletin, and the composition root."""
