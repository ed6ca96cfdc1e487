"""Rows in, batches out: files and corpora, splits, ragged tokens, batches. NumPy only."""
