"""The bug clinic: six VAEs with one bug each, a healthy one, and their charts."""

from vae_lessons.check.clinic.bugs import BUGS, CATALOGUE
from vae_lessons.check.clinic.charts import show
from vae_lessons.check.clinic.patients import LETTERS, key, train, ward

__all__ = ["BUGS", "CATALOGUE", "LETTERS", "key", "show", "train", "ward"]
