import pytest

from glocalk.completers.budget import BudgetConfig


@pytest.mark.parametrize(
    ("epochs", "budget", "trained"),
    [(546, 0.25, 137), (80, 0.25, 20), (30, 0.1, 3), (3, 0.7, 3), (5, 1e-6, 1), (7, 1.0, 7)],
)
def test_the_budget_is_rounded_up(epochs, budget, trained):
    config = BudgetConfig(epochs=epochs, budget=budget)
    assert config.trained_epochs == trained
    assert config.share == pytest.approx(trained / epochs)


@pytest.mark.parametrize("budget", [0.0, 1.01])
def test_a_budget_outside_zero_to_one_is_refused(budget):
    with pytest.raises(ValueError, match="budget"):
        BudgetConfig(epochs=4, budget=budget)
