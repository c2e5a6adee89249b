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


def test_the_classic_completers_have_examples():
    assert {"Bias", "BiasMF", "ItemKNN", "LLORMA", "SVDPlusPlus", "SoftImpute"} <= set(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_runs(name):
    printed = []
    outcome = doctest.DocTestRunner().run(EXAMPLES[name], out=printed.append)
    assert outcome.failed == 0, "".join(printed)
