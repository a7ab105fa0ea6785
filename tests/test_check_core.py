"""Verdicts, whatever a learner hands in: calm, right, and leaving everything else as it was."""

import random
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from check_styles import STYLES

from vae_lessons import check
from vae_lessons.check.engine import calling, verdict
from vae_lessons.check.engine.calling import untouched
from vae_lessons.check.engine.exercise import Shown, nothing

KL = replace(check.kl_standard_normal, show=nothing)


def right(mu, log_var):
    return (mu**2 + log_var.exp() - 1 - log_var).sum(-1) / 2


def wrong(mu, log_var):
    return -right(mu, log_var)


@pytest.fixture(autouse=True)
def as_a_learner_runs_it(monkeypatch):
    monkeypatch.delenv("VAE_LESSONS_STRICT", raising=False)


# ------------------------------------------------------------ the three verdicts


def test_the_three_verdicts_in_one_sentence_each():
    def stub(mu, log_var):
        """Written by nobody yet."""
        ...

    done, bad, todo = KL(right), KL(wrong), KL(stub)
    assert (done.status, done.mistake) == ("right", None)
    assert (bad.status, bad.mistake) == ("wrong", "sign")
    assert (todo.status, todo.mistake) == ("untouched", None)
    assert repr(todo) == (
        "kl_standard_normal is still to be written. Until then the lesson goes on with the package's own."
    )
    assert done.message.startswith("Right: ")
    assert bad.message.startswith("Not yet: this is minus the KL.")


def do_nothing(mu, log_var):
    pass


def return_ellipsis(mu, log_var):
    return ...


def not_implemented(mu, log_var):
    """To do."""
    raise NotImplementedError


def not_implemented_yet(mu, log_var):
    raise NotImplementedError("to do")


@pytest.mark.parametrize("stub", [..., do_nothing, return_ellipsis, not_implemented, not_implemented_yet])
def test_a_stub_is_no_mistake(stub):
    assert KL(stub).status == "untouched"


def test_a_check_without_a_function_is_untouched():
    assert KL().status == "untouched"


def test_a_class_is_untouched_while_its_methods_are():
    class Stub(torch.nn.Module):
        def __init__(self, hidden, latent):
            super().__init__()

        def forward(self, h): ...

    class Written(Stub):
        def forward(self, h):
            return h

    class Begun(Stub):
        def __init__(self, hidden, latent):
            super().__init__(hidden, latent)
            self.head = torch.nn.Linear(hidden, latent)

        def forward(self, h): ...

    assert untouched(Stub)
    assert not untouched(Written)
    assert not untouched(Begun)


def test_what_was_begun_is_not_untouched():
    def begun(mu, log_var):
        kl = mu**2 + log_var.exp()
        raise NotImplementedError(f"the rest of {kl}")

    told = KL(begun)
    assert told.status == "wrong"
    assert "Your code stopped with NotImplementedError" in told.message


# ------------------------------------------------------------ nonsense


def gives(value):
    return lambda mu, log_var: value


def forgets(mu, log_var):
    kl = right(mu, log_var)
    kl.sum()


def yields(mu, log_var):
    yield right(mu, log_var)


def as_numpy(mu, log_var):
    return right(mu, log_var).detach().numpy()


def counts_backwards(mu, log_var):
    return mu.no_such_thing()


def leaves(mu, log_var):
    raise SystemExit("bye")


def falls_forever(mu, log_var):
    return falls_forever(mu, log_var)


def sparse(mu, log_var):
    return right(mu, log_var).to_sparse()


def complex_number(mu, log_var):
    return right(mu, log_var) + 0j


class Odd:
    def __eq__(self, other):
        raise RuntimeError("no")

    __hash__ = None


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (gives("a string"), "must return a tensor, but it returned a str"),
        (gives(3.0), "must return a tensor, but it returned a float"),
        (gives([1.0]), "must return a tensor, but it returned a list"),
        (gives(Odd()), "must return a tensor, but it returned an Odd"),
        (as_numpy, "returned a NumPy array; compute with torch"),
        (forgets, "It returned nothing"),
        (yields, "`yield` where `return` is meant"),
        (counts_backwards, "Your code stopped with AttributeError: 'Tensor' object has no attribute"),
        (counts_backwards, ": return mu.no_such_thing()"),
        (leaves, "Your code stopped with SystemExit: bye"),
        (falls_forever, "Your code stopped with RecursionError"),
        (sparse, "Its answer cannot be read"),
        (complex_number, "must return a tensor, but it returned a tensor of shape (1,), torch.complex64"),
        (lambda mu, log_var: torch.zeros(7, 7), "expected shape (1,), yours has shape (7, 7)"),
        (lambda mu, log_var: torch.full((len(mu),), torch.nan), "expected [0], yours gave [nan]"),
        (lambda mu, log_var: torch.zeros(0), "yours has shape (0,)"),
        ("a string", "give the check your function itself"),
        (torch.zeros(3), "give the check your function itself"),
        (None, "give the check your function itself"),
        (
            lambda mu: mu,
            "it is called as kl_standard_normal(mu, log_var), but yours is kl_standard_normal(mu)",
        ),
        (lambda log_var, mu: mu, "the arguments come in the order kl_standard_normal(mu, log_var)"),
        (right(torch.zeros(1, 1), torch.zeros(1, 1)), "without calling it"),
    ],
)
def test_nonsense_is_told_calmly(answer, said):
    verdict = KL(answer)
    assert (verdict.status, verdict.mistake) == ("wrong", None)
    assert said in verdict.message, verdict.message
    assert "Traceback" not in verdict.message


def test_a_stub_with_code_that_still_returns_ellipsis_is_told_so():
    def half_done(mu, log_var):
        mu = mu + 1
        return ...

    assert "still returns `...`" in KL(half_done).message


def test_every_exercise_stands_all_kinds_of_nonsense():
    for name in STYLES:
        exercise = replace(getattr(check, name), show=nothing)
        count = len(exercise.parameters)
        named = ", ".join(exercise.parameters)
        for body in ("'a'", "None", "1 / 0", "[1, 2]", "torch.zeros(3, 1, 2)", "float('nan')", f"({named},)"):
            function = eval(f"lambda {named}: {body}", {"torch": torch})
            verdict = exercise(function)
            assert verdict.status == ("untouched" if body == "None" else "wrong"), (name, body, count)


def test_a_loop_without_end_is_stopped(monkeypatch):
    monkeypatch.setattr(calling.guarded.__wrapped__, "__defaults__", (0.4,))

    def warns_for_ever(mu, log_var):
        while True:
            try:
                warnings.warn("again", stacklevel=1)
            except Exception:
                continue

    with warnings.catch_warnings(record=True) as heard:
        verdict = KL(warns_for_ever)
    assert heard == []
    assert verdict.status == "wrong"
    assert "Is there an infinite loop?" in verdict.message


def test_warnings_of_a_right_answer_are_not_heard():
    def warns(mu, log_var):
        warnings.warn("deprecated", stacklevel=1)
        return right(mu, log_var)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert KL(warns).status == "right"


def test_prints_are_shown_once(capsys):
    def prints(mu, log_var):
        print("here", tuple(mu.shape))
        return right(mu, log_var)

    assert KL(prints).status == "right"
    assert capsys.readouterr().out == "here (1, 1)\n"


# ------------------------------------------------------------ what must not change, and what may differ


def test_nothing_outside_is_changed():
    def careless(mu, log_var):
        torch.manual_seed(3), np.random.seed(3), random.seed(3)  # noqa: NPY002
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        return right(mu, log_var)

    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002
    KL(careless)
    after = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]
    assert torch.get_default_dtype() is torch.float32
    assert torch.is_grad_enabled()


def test_verdicts_are_the_same_each_time_whatever_the_seed_outside():
    told = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        told.append(check.reparameterize(lambda mu, log_var: mu + log_var * torch.randn(mu.shape)).message)
    assert told[0] == told[1]


def test_gradients_are_seen_under_no_grad_and_in_inference_mode():
    with torch.no_grad():
        assert KL(right).status == "right"
    with torch.inference_mode():
        assert KL(right).status == "right"


def test_what_is_changed_in_place_behind_the_gradient_is_told():
    def squares(mu, log_var):
        mu *= 1.0
        double = mu * mu
        mu += 1
        return (double + log_var.exp() - 1 - log_var).sum(-1) / 2

    assert "changed in place" in KL(squares).message


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
@pytest.mark.parametrize("name", STYLES)
def test_a_gpu_is_no_matter(name):
    exercise, state = getattr(check, name), torch.cuda.get_rng_state()
    for style in STYLES[name]:
        if "numpy" not in style.__name__:
            assert exercise(lambda *a, f=style: moved(f(*a), "cuda")).status == "right", style.__name__
    torch.set_default_device("cuda")
    try:
        assert exercise(exercise.reference).status == "right"
    finally:
        torch.set_default_device(None)
    assert torch.equal(state, torch.cuda.get_rng_state())


def moved(answer, device):
    if isinstance(answer, (tuple, list)):
        return tuple(part.to(device) for part in answer)
    return answer.to(device) if isinstance(answer, torch.Tensor) else answer


# ------------------------------------------------------------ grading, hints, solutions, display


def test_strict_raises_the_same_sentence(monkeypatch):
    monkeypatch.setenv("VAE_LESSONS_STRICT", "1")
    assert KL(right).status == "right"
    for answer in (wrong, do_nothing):
        with pytest.raises(verdict.Unsolved) as stopped:
            KL(answer)
        assert str(stopped.value) == KL.judge(answer).message
        assert stopped.value._render_traceback_() == [f"Unsolved: {KL.judge(answer).message}"]
    monkeypatch.setenv("VAE_LESSONS_STRICT", "0")
    assert KL(wrong).status == "wrong"


@pytest.mark.parametrize("name", STYLES)
def test_hints_come_one_by_one_and_the_package_is_the_answer_key(name):
    exercise = replace(getattr(check, name), given=0)
    hints = [exercise.hint() for _ in range(4)]
    count = len(exercise.hints)
    assert count in (2, 3)
    assert [text[:11] for text in hints[:count]] == [f"Hint {i} of {count}" for i in range(1, count + 1)]
    assert hints[-1] == hints[count - 1]
    assert f"check.{name}.solution()" in hints[-1]
    shown = exercise.solution()
    assert repr(shown) == shown
    assert shown.startswith("def ")
    assert '"""' in shown
    parts = exercise.solutions or (exercise.reference,)
    assert all(
        part.__module__.startswith("vae_lessons.") and ".check" not in part.__module__ for part in parts
    )


@pytest.mark.parametrize("name", STYLES)
def test_every_exercise_shows_the_answer_beside_the_target(name):
    exercise = getattr(check, name)
    assert exercise(exercise.reference).draw is not None
    told = exercise(exercise.mistakes[0].codes[0])
    bundle = told._repr_mimebundle_()
    assert bundle["text/plain"] == told.message
    assert f'alt="{told.picture.caption[:20]}' in bundle["text/html"]
    assert len(told.picture.caption) > 30


def test_without_a_picture_there_is_text_alone():
    bundle = KL(do_nothing)._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html"}


def test_what_a_learner_wrote_cannot_break_the_page():
    def tags(mu, log_var):
        raise ValueError("<script>alert(1)</script>")

    assert "<script>" not in KL(tags)._repr_mimebundle_()["text/html"]


def test_a_picture_that_fails_is_left_out():
    def fails(call, seed):
        raise RuntimeError("no ink")

    told = replace(KL, show=fails)(right)
    assert (told.status, told.picture) == ("right", None)


def test_a_meter_that_is_not_content_makes_a_right_answer_wrong():
    told = replace(KL, show=lambda call, seed: Shown(says="The needle is red.", fine=False))(right)
    assert (told.status, told.message) == ("wrong", "Not yet: The needle is red.")


@pytest.mark.parametrize(
    ("name", "answer", "said"),
    [
        (
            "reparameterize",
            lambda mu, lv: mu + (0.4 * lv + 0.1 * lv.detach()).exp() * torch.randn_like(mu),
            "dz/dlog_var over",
        ),
        ("elbo", lambda x, logits, mu, lv: logits.flatten(1).sum(1) + lv.sum(1), "x = [[1]], logits = [[0]]"),
    ],
)
def test_a_formula_keeps_its_small_letters(name, answer, said):
    assert replace(getattr(check, name), show=nothing)(answer).message.startswith(f"Not yet: {said}")


def test_an_unknown_mistake_shows_the_smallest_input_where_it_differs():
    told = KL(lambda mu, log_var: right(mu, log_var) * (1 + mu[:, 0] ** 2))
    assert told.mistake is None
    assert told.message == (
        "Not yet: the KL of N(1, 1), mu = [[1]], log_var = [[0]]: expected [0.5], yours gave [1]."
    )


def test_an_exercise_that_fails_on_its_own_reference_raises_and_calls_nothing_right():
    def observe(call, seed):
        raise ValueError("a bug of the exercise")

    with pytest.raises(ValueError, match="a bug of the exercise"):
        replace(KL, observe=observe, seen={})(right)
