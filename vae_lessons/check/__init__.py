"""The exercises of the lessons, each under the name of the function that the learner writes.

from vae_lessons import check
check.reparameterize(reparameterize)  # the verdict; .hint() and .solution() help

exercises/NAME.py holds check.NAME: to add an exercise, add that file.
"""

from importlib import import_module
from pkgutil import iter_modules

from vae_lessons.check import clinic, exercises
from vae_lessons.check.clinic import BUGS
from vae_lessons.check.exercises.choose_beta import PURPOSES

NAMES = sorted(module.name for module in iter_modules(exercises.__path__))
for name in NAMES:
    globals()[name] = getattr(import_module(f"{exercises.__name__}.{name}"), name)

__all__ = ["BUGS", "PURPOSES", "clinic", *NAMES]
