"""Pure translators: bytes of a foreign format in, values out, and back. No I/O, no clock, no network."""
