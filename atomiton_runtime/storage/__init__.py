"""Keeps the journals of runs: one contract, interchangeable engines."""
