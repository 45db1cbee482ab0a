"""Real images in, from wherever they lie."""
