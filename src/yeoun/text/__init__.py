"""From a text to token ids: schemes that cut it, an indexer that fits a vocabulary and applies it."""
