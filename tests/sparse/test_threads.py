import torch

from glocalk.operators.sparse import SparseRatings


def test_the_sparse_formulation_keeps_the_number_of_torch_threads():
    before = torch.get_num_threads()
    try:
        for threads in (2, 1):
            torch.set_num_threads(threads)
            index, ratings = torch.arange(3), torch.ones(3)
            operator = SparseRatings(index, index, ratings, (3, 3))
            operator.product(torch.ones(3, 2))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
