import torch
from torch.autograd import gradcheck

from glocalk.operators.base import mean_prediction, predict_pairs


def normal(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64, requires_grad=True)


def test_mean_prediction_is_the_mean_of_the_prediction_matrix():
    hidden, weight, bias = normal(3, 2), normal(2, 4, seed=1), normal(4, seed=2)
    expected = (hidden @ weight + bias).mean(dim=1)
    torch.testing.assert_close(mean_prediction(hidden, weight, bias), expected)
    assert gradcheck(mean_prediction, (hidden, weight, bias))


def test_predict_pairs_takes_pairs_in_any_order_and_chunk_size():
    hidden, weight, bias = normal(3, 2), normal(2, 4, seed=1), normal(4, seed=2)
    full = hidden @ weight + bias
    users, items = torch.tensor([3, 0, 3, 1, 2]), torch.tensor([2, 0, 1, 1, 0])
    for chunk in (1, 2, 100):
        predicted = predict_pairs(hidden, weight, bias, users, items, chunk)
        torch.testing.assert_close(predicted, full[items, users])
    nothing = torch.empty(0, dtype=torch.long)
    assert predict_pairs(hidden, weight, bias, nothing, nothing).shape == (0,)
