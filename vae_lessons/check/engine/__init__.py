"""What decides whether a learner's function is right: everything that an exercise is made of."""

from vae_lessons.check.engine.calling import Call, Failed, no_answer, untouched
from vae_lessons.check.engine.exercise import COURSE, NEAR, PUBLIC, Exercise, Mistake, Shown
from vae_lessons.check.engine.facts import Fact, gradient, tensor_facts
from vae_lessons.check.engine.probes import BATCHES, Probe, batch_title, noise, placed, row
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
    "graded",
    "gradient",
    "no_answer",
    "noise",
    "placed",
    "row",
    "tensor_facts",
    "untouched",
]
