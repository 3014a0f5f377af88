"""What becomes of a tuned model: merged, quantised, exported. Knows no torch and no MLX: those formats are a backend's."""
