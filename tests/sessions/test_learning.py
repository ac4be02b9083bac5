import pytest

from turnout.core.statistics import ModelStatistics
from turnout.sessions.learning import ModelLearner


def test_without_a_call_the_priors_stand() -> None:
    assert ModelLearner().snapshot() == ModelStatistics()


def test_means_move_from_the_prior_towards_what_was_seen() -> None:
    learner = ModelLearner()
    for _ in range(5):
        learner.call(prompt_tokens=1300, reference_tokens=1000, output_tokens=100, opens_turn=True)
    # Five observations weigh as much as the prior: (5·300 + 5·100) / 10, and (5·2 + 5) / (5 + 5) calls a turn.
    learned = learner.snapshot()
    assert learned.output_tokens == pytest.approx(200)
    assert learned.calls_per_turn == pytest.approx(1.5)
    assert learned.tokenizer_ratio == pytest.approx(1.3)
    assert learned.calls == 5


def test_growth_is_a_mean_of_its_own_and_never_negative() -> None:
    learner = ModelLearner()
    for _ in range(5):
        learner.growth(-50)
    assert learner.snapshot().growth_tokens == pytest.approx(200)  # (5·400 + 0) / 10


def test_calls_without_counts_say_nothing_of_the_tokenizer() -> None:
    learner = ModelLearner()
    learner.call(prompt_tokens=0, reference_tokens=0, output_tokens=1, opens_turn=False)
    assert learner.snapshot().tokenizer_ratio is None


def test_a_ratio_that_no_tokenizer_has_is_not_believed() -> None:
    learner = ModelLearner()
    learner.call(prompt_tokens=10**12, reference_tokens=3, output_tokens=1, opens_turn=True)
    assert learner.snapshot().tokenizer_ratio == 10.0
    learner = ModelLearner()
    learner.call(prompt_tokens=1, reference_tokens=10**6, output_tokens=1, opens_turn=True)
    assert learner.snapshot().tokenizer_ratio == 0.1
