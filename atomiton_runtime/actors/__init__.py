"""Holds everything that runs concurrently: the only place that knows pykka and watchdog."""
