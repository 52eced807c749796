"""Losses of metric learning: of embeddings and their distances."""
