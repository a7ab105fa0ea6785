"""The bug clinic: six VAEs with one bug each, a healthy one, their charts; a flow chart for any VAE."""

from vae_lessons.check.clinic.bugs import BUGS, CATALOGUE
from vae_lessons.check.clinic.charts import show
from vae_lessons.check.clinic.flow import STEPS, flow_chart, visit
from vae_lessons.check.clinic.patients import LETTERS, key, train, ward

__all__ = ["BUGS", "CATALOGUE", "LETTERS", "STEPS", "flow_chart", "key", "show", "train", "visit", "ward"]
