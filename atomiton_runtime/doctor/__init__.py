"""Looks at an installation and says what is there and what is wrong; writes nothing."""
