"""What becomes of a tuned model: merged, quantised, exported. Formats of torch and MLX are their backends' affair."""
