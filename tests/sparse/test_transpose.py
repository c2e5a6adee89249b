import numpy as np
import pytest
import torch

from glocalk.sparse.transpose import row_major


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64])
@pytest.mark.parametrize("shape", [(1, 1), (3, 100), (32, 64), (67, 33), (0, 5)])
def test_a_transposed_matrix_is_converted_to_row_major(shape, dtype):
    rows, columns = shape
    expected = [[float(100 * i + j) for j in range(columns)] for i in range(rows)]
    tensor = torch.tensor(expected, dtype=dtype).reshape(shape).T.contiguous().T
    made = row_major(tensor)
    assert made.is_contiguous()
    assert made.dtype == dtype
    np.testing.assert_array_equal(made.numpy(), np.array(expected).reshape(shape))


def test_a_contiguous_tensor_is_not_copied():
    for tensor in (torch.ones(4, 5), torch.ones(7), torch.ones(2, 3, 4)):
        assert row_major(tensor).data_ptr() == tensor.data_ptr()
    every_second = torch.arange(20.0).reshape(4, 5)[:, ::2]
    assert row_major(every_second).tolist() == [[5 * i, 5 * i + 2, 5 * i + 4] for i in range(4)]
