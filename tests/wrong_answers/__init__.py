"""Answers that readers really give, and what they must be told: one module a chapter."""
