"""Jobs of every kind: queue and desk, the worker process, its warm engines, and short questions to a model."""
