"""A trained model for other engines."""

from .onnx import Check, check, export_onnx

__all__ = ["Check", "check", "export_onnx"]
