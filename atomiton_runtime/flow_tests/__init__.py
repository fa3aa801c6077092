"""Executes the tests of flow files, says what became of them, and takes over what came."""
