"""Shipped doubles: parts of the outside world that run on loopback, so that Turnout can be tried without an account.

They import nothing from the rest of Turnout, so that they can contradict it.
"""
