"""Pages: self-contained HTML that makes no request."""
