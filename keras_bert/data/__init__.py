"""From a user's examples to batches."""
