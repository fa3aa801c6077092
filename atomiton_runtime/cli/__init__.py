"""The terminal client: one module a command, loaded only when it is called."""
