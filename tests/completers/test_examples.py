"""The examples in the docstrings of the public completers run and print what they say."""

import doctest
import importlib

import pytest

from glocalk.completers import PUBLIC

EXAMPLES = {
    name: test
    for name, module in PUBLIC.items()
    for test in doctest.DocTestFinder(recurse=False).find(
        getattr(importlib.import_module(module), name), name
    )
    if test.examples
}


def test_completers_have_examples():
    # BayesianMF's library may be missing; the others are used like Bias and ItemKNN.
    assert set(PUBLIC) - set(EXAMPLES) == {"BayesianMF", "GlobalMean", "UserKNN"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_runs(name):
    printed = []
    outcome = doctest.DocTestRunner().run(EXAMPLES[name], out=printed.append)
    assert outcome.failed == 0, "".join(printed)
