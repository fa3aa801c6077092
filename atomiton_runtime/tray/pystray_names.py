"""Imports pystray without its back-ends on Linux, where importing it would look for GTK or open an X display.

pystray picks a back-end while it is imported, falls back to one without a menu (pystray issue 159), and raises
where there is no display. With `PYSTRAY_BACKEND=dummy` the import is harmless; the variable is put back at once, or
every program that a flow starts would inherit it. Pinned to pystray 0.19.5: `tests/tray/test_pystray_names.py` states
what we rely on.
"""

import os
import sys

_VARIABLE = "PYSTRAY_BACKEND"

_before = os.environ.get(_VARIABLE)
if sys.platform.startswith("linux"):
    os.environ[_VARIABLE] = "dummy"
try:
    from pystray import Menu, MenuItem
    from pystray import _base as base
finally:
    if _before is None:
        os.environ.pop(_VARIABLE, None)
    else:
        os.environ[_VARIABLE] = _before

BaseIcon = base.Icon
"""The class that back-ends extend."""

__all__ = ["BaseIcon", "Menu", "MenuItem"]
