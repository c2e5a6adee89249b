import torch
from torch.autograd import gradcheck

import literal
from glocalk.operators.dense import DenseRatings

USERS = torch.tensor([0, 2, 1, 3, 0])
ITEMS = torch.tensor([0, 0, 1, 1, 2])
RATINGS = torch.tensor([5.0, 1.0, 4.0, 2.0, 3.0], dtype=torch.float64)
MATRIX = torch.tensor([[5, 0, 1, 0], [0, 4, 0, 2], [3, 0, 0, 0]], dtype=torch.float64)


def operator():
    return DenseRatings(USERS, ITEMS, RATINGS, (3, 4))


def normal(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64, requires_grad=True)


def test_product_matches_the_matrix_product():
    weight = normal(4, 2)
    torch.testing.assert_close(operator().product(weight), MATRIX @ weight)
    assert gradcheck(operator().product, (weight,))


def test_convolved_product_matches_the_literal_convolution():
    weight, kernel = normal(4, 2), normal(3, 3, seed=1)
    expected = literal.convolution(MATRIX, kernel) @ weight
    torch.testing.assert_close(operator().convolved_product([kernel], weight), expected)
    assert gradcheck(lambda k, w: operator().convolved_product([k], w), (kernel, weight))


def test_live_shares_count_positive_cells_among_all_and_among_rated_ones():
    # Each cell is what stands to its left minus itself: 5 moves one to the right and stays 0 or
    # less where it stood, and so do 4, 2 and 3 within their rows; the 2 would leave the matrix.
    kernel = torch.tensor([[0, 0, 0], [1, -1, 0], [0, 0, 0]], dtype=torch.float64)
    assert operator().live_shares([kernel]) == (4 / 12, 0)
    assert operator().live_shares([-kernel]) == (5 / 12, 1)


def test_half_squared_error_sums_over_observed_ratings_only():
    hidden, weight, bias = normal(3, 2), normal(2, 4, seed=1), normal(4, seed=2)
    expected = sum(
        (rating - sum(hidden[i, k] * weight[k, u] for k in range(2)) - bias[u]) ** 2 / 2
        for u, i, rating in zip(USERS, ITEMS, RATINGS, strict=True)
    )
    torch.testing.assert_close(operator().half_squared_error(hidden, weight, bias), expected)
    assert gradcheck(operator().half_squared_error, (hidden, weight, bias))


def test_outputs_are_given_for_the_observed_ratings_only():
    hidden, weight, bias = normal(3, 2), normal(2, 4, seed=1), normal(4, seed=2)
    ratings = operator()
    full = hidden @ weight + bias
    expected = {MATRIX[i, u].item(): full[i, u] for u, i in zip(USERS, ITEMS, strict=True)}
    outputs = ratings.outputs(hidden, weight, bias)
    assert sorted(ratings.ratings.tolist()) == sorted(expected)  # five different ratings
    for rating, output in zip(ratings.ratings, outputs, strict=True):
        torch.testing.assert_close(output, expected[rating.item()])
    assert gradcheck(ratings.outputs, (hidden, weight, bias))
