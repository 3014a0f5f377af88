"""Fine-tuning: which tweets, in which order, at which rate, and what is kept of it. Token ids go to a backend."""
