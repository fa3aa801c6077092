"""Is a pystray icon for Linux that speaks D-Bus alone: no GTK, no X, so it lives on Wayland and X11 alike."""
