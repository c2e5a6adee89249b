import numpy as np
import pytest

from glocalk.completers.stepwise import refuse_levels
from glocalk.data.rating_matrix import RatingMatrix
from glocalk.errors import GlocalkError


def ratings_of(levels):
    values = np.arange(levels) / 2
    return RatingMatrix(np.arange(levels), [0] * levels, values, (levels, 1), (0, levels))


@pytest.mark.parametrize(
    ("levels", "allowed", "most"), [(6, 5, 5), (101, 500, 100), (101, 100, 100)]
)
def test_more_levels_than_weights_fit_the_memory_are_refused(levels, allowed, most):
    sentence = f"GC-MC has .* but there are {levels} of them and at most {most} are allowed"
    with pytest.raises(GlocalkError, match=sentence):
        refuse_levels(ratings_of(levels), "GC-MC", allowed)
    refuse_levels(ratings_of(most), "GC-MC", allowed)
