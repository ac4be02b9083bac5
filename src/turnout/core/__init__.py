"""The ground floor: pure values and functions. No I/O, no clock, no environment, no file."""
