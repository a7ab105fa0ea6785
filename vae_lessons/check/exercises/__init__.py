"""The exercises, one file each: exercises/NAME.py holds the exercise check.NAME, with its mistakes."""
