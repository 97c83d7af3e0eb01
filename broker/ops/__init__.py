"""The I/O side around the rooms: clock, log, supervision, doctor."""
