"""Whole studies: models scored on gold, grids of fine-tunings, benches, reports. Above the engine and training."""
