"""Tensors in, tensors out; this floor knows no text.

Shape symbols: N batch, T time, E embedding, H hidden per direction, D = H x directions, C classes.
Inside the network time comes first ([T, N, ...]), as the fused kernels read it. Positions at or past a
row's length hold padding; whatever it is, no later value depends on it.
"""
