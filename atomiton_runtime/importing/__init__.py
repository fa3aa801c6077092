"""Turns the YAML flows of the original Atomiton into our TOML: text in, text and remarks out. Pure."""
