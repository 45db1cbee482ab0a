"""How varied a set is, its map, and filling its gaps: the desks and jobs around the diversity room."""
