"""Is `atomiton watch FLOW`: the graph of one flow as a tree on a terminal, redrawn when something becomes of it."""
