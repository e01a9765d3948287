"""Checkpoints and vocabularies: each reader gives `(config, vocabulary, weights)`, the writer takes it."""
