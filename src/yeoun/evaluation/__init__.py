"""Figures: metrics, calibration, intervals, and the linear baseline that stands beside every one."""
