"""What leaves the library: SavedModels that TF Serving loads."""
