"""Gibbs sampling of a Bayesian factorization machine with blocks of features.

The score of a rating with features x, of which each belongs to a group g, is

    s = w₀ + Σ_f w_f x_f + Σ_{f < f'} (v_f · v_f') x_f x_f'
    w_f ~ Normal(μ_g, λ_g⁻¹),   v_fk ~ Normal(μ_gk, λ_gk⁻¹)

A sample draws, in this order: α and w₀; λ and μ of w; each w_f given all else; λ, then μ of all
columns of V; each v_fk given all else, column by column; then what the likelihood has beside α. The
priors, the order of the draws and the initial values are those of the library `tohtsky/myFM`, and
so are the samples, to rounding. Given all else, s is linear in one weight, s = s₀ + h w, so that

    w | … ~ Normal((α Σ h (target − s₀) + λ μ) / (α Σ h² + λ), (α Σ h² + λ)⁻¹)

The sums are over all ratings with the feature. They are computed from sums over the ratings of each
user, item and date: a sample costs O(rank · (ratings + entries of the blocks)).
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from glocalk.completers.bayesian_fm.design import Design
from glocalk.completers.bayesian_fm.loops import (
    add_linear,
    add_own_pairs,
    add_products,
    block_sums,
    draw_column,
    draw_weights,
)
from glocalk.completers.blocks.sampling.conditionals import (
    INIT_STD,
    draw_constant,
    draw_prior,
    initial,
)
from glocalk.completers.blocks.sampling.draws import twister
from glocalk.data.rating_matrix import Values
from glocalk.sparse.compiled import Array
from glocalk.stopping import safe_point


class Likelihood(Protocol):
    """How ratings follow from scores."""

    cut_points: Values
    """[levels − 1]; none for a likelihood without levels."""

    def precision(self, words: Array, at: Array, errors: Values) -> float:
        """Draw α given the errors, or return it."""

    def start(self, scores: Values) -> None:
        """Take initial values."""

    def draw(self, words: Array, at: Array, scores: Values) -> Values:
        """Draw all but α given the scores; return the errors [n], scores − targets."""

    def state(self) -> dict[str, Any]:
        """What the next sample depends on."""

    def restore(self, state: Any) -> None:
        """Continue from what `state` returned."""


class Sampler:
    """A chain of samples.

    Args:
        design: features of the training ratings.
        likelihood: how ratings follow from scores; holds the ratings.
        rank: number of columns of V.
        seed: seed of the chain, below 2³².

    Attributes:
        likelihood: as given.
        constant: w₀ of the last sample.
        weights: [features] w.
        vectors: [rank, features] Vᵀ.
        biases: [rows] Σ w_f x_f and the pairs within the row, of each date, user and item.
        factors: [rank, rows] Σ v_f x_f. A score is w₀, the biases of its rows, and the products of
            their factors.
        alpha: α of the last sample.
    """

    alpha: float

    def __init__(self, design: Design, likelihood: Likelihood, rank: int, seed: int) -> None:
        self._design, self.likelihood = design, likelihood
        self._group_of = design.group_of
        size, groups = design.num_features, len(design.groups) - 1
        self._words, self._at = twister(seed)
        drawn = np.empty(size * rank + size + 1)
        initial(self._words, self._at, drawn, INIT_STD)
        self.vectors = drawn[: size * rank].reshape(rank, size).copy()
        self.weights = drawn[size * rank : -1].copy()
        self.constant = float(drawn[-1])
        self._means, self._vector_means = np.zeros(groups), np.zeros((rank, groups))
        self.biases, self.factors = np.empty(design.num_rows), np.empty((rank, design.num_rows))
        scores = self._scores()
        likelihood.start(scores)
        self._errors = likelihood.draw(self._words, self._at, scores)

    def draw(self) -> None:
        """Draw the next sample."""
        random, groups = (self._words, self._at), self._design.groups
        errors = self._errors
        alpha = self.likelihood.precision(*random, errors)
        self.alpha = alpha
        self.constant = draw_constant(*random, errors, self.constant, alpha)
        lambdas = np.empty_like(self._means)
        for of_means in range(2):
            draw_prior(*random, groups, self.weights, self._means, lambdas, of_means)
        self._call(draw_weights, alpha, self.weights, self._means, lambdas)
        lambdas = np.empty_like(self._vector_means)
        for of_means in range(2):  # all λ, then all μ
            for k, column in enumerate(self.vectors):
                draw_prior(*random, groups, column, self._vector_means[k], lambdas[k], of_means)
        for k, column in enumerate(self.vectors):
            safe_point()
            means, sums = self._vector_means[k], self.factors[k]
            self._call(draw_column, alpha, column, means, lambdas[k], sums)
        scores = self._scores()
        safe_point()
        self._errors = self.likelihood.draw(*random, scores)

    def _call(self, loop: Any, alpha: float, *weights: Array) -> None:
        design = self._design
        loop(
            self._words, self._at, design.rows, design.counts, design.starts, design.places,
            design.values, design.blocks, self._group_of, self._errors, alpha, *weights,
        )  # fmt: skip

    def _scores(self) -> Values:
        """[n] scores of the training ratings; biases and factors become those of the weights."""
        design = self._design
        entries = design.starts, design.places, design.values
        block_sums(*entries, self.weights, self.biases)
        scores = np.full(design.rows.shape[1], self.constant)
        for column, sums in zip(self.vectors, self.factors, strict=True):
            block_sums(*entries, column, sums)
            add_own_pairs(*entries, column, sums, self.biases)
            add_products(design.rows, sums, scores)
        add_linear(design.rows, self.biases, scores)
        return scores

    def state(self) -> dict[str, Any]:
        """What the next sample depends on."""
        return {
            "constant": self.constant,
            "weights": self.weights,
            "vectors": self.vectors,
            "means": self._means,
            "vector_means": self._vector_means,
            "errors": self._errors,
            "words": self._words.astype(np.int64),
            "at": self._at,
            **self.likelihood.state(),
        }

    def restore(self, state: Any) -> None:
        """Continue from what `state` returned."""
        self.constant, self.weights, self.vectors = (
            state["constant"], state["weights"], state["vectors"]
        )  # fmt: skip
        self._means, self._vector_means = state["means"], state["vector_means"]
        self._words, self._at = state["words"].astype(np.uint32), state["at"]
        self._scores()
        self._errors = state["errors"]
        self.likelihood.restore(state)
