"""Models: what there is, how it learnt, what it reaches, what fits here."""
