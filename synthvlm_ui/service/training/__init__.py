"""From pairs to a trained model and what it can do: the desks and jobs around training and evaluation."""
