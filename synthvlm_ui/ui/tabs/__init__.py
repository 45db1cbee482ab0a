"""The page's tabs as Gradio sees them; most are one element that a script fills."""
