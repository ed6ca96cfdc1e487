"""From labelled rows to a bundle: objective, optimisation, resumable state, loop, fit."""
