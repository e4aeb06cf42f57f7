"""How requests come in: over TLS, past the door, with a token, within limits, to their route."""
