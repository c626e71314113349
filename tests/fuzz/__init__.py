"""Seeded mutants of what people write and hand over: each is refused in one printable line, or accepted whole."""
