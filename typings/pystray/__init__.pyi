"""Types of what we use of pystray 0.19.5, which has none."""

from pystray._base import Icon as Icon
from pystray._base import Menu as Menu
from pystray._base import MenuItem as MenuItem

__all__ = ["Icon", "Menu", "MenuItem"]
