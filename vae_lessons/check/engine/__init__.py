"""What decides whether a learner's function is right: everything that an exercise is made of."""

from vae_lessons.check.engine.calling import Call, Failed, no_answer, untouched
from vae_lessons.check.engine.exercise import COURSE, NEAR, PUBLIC, Exercise, Mistake, Shown
from vae_lessons.check.engine.facts import Fact, gradient, tensor_facts
from vae_lessons.check.engine.pictures import curve_of
from vae_lessons.check.engine.probes import BATCHES, Probe, batch_title, noise, numbers, placed, row
from vae_lessons.check.engine.shared_mistakes import no_gradient, same_noise
from vae_lessons.check.engine.verdict import Hinted, Verdict, Words, graded

__all__ = [
    "BATCHES",
    "COURSE",
    "NEAR",
    "PUBLIC",
    "Call",
    "Exercise",
    "Fact",
    "Failed",
    "Hinted",
    "Mistake",
    "Probe",
    "Shown",
    "Verdict",
    "Words",
    "batch_title",
    "curve_of",
    "graded",
    "gradient",
    "no_answer",
    "no_gradient",
    "noise",
    "numbers",
    "placed",
    "row",
    "same_noise",
    "tensor_facts",
    "untouched",
]
