"""Real against synthetic, and blind preference: the desks and jobs around the comparison room."""
