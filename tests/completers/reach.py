"""Everything that can be reached from an object, and the secret ratings among it."""

from __future__ import annotations

import gc
import sys
import types
import weakref

import numpy as np
import torch

from glocalk.data.rating_matrix import RatingMatrix

_ATOMS = (str, bytes, int, float, complex, type(None), types.ModuleType, types.CodeType)


def leaks(*roots, secrets):
    """Descriptions of the objects within reach of `roots` that are, or hold, secret ratings."""
    found = []
    for thing in reachable(*roots):
        for secret in secrets:
            if why := _reveals(thing, secret):
                found.append(f"{type(thing).__name__} {why}")
    return found


def reachable(*roots):
    """Every object that leads on from `roots`, each once.

    Followed are attributes, slots, classes, containers, bound methods, the closures and defaults
    of functions, weak references and the arrays behind views. Not followed are the globals of
    modules, where any code can look whatever it is given, nor the list of weak references *to* an
    object, which belongs to the interpreter.
    """
    globals_ = {id(vars(module)) for module in list(sys.modules.values())}
    globals_.add(id(sys.modules))
    seen = {}
    waiting = list(roots)
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen or id(thing) in globals_ or isinstance(thing, _ATOMS):
            continue
        seen[id(thing)] = thing  # kept, so that no other object takes its id
        yield thing
        waiting.extend(_next(thing))


def _next(thing):
    if isinstance(thing, types.FunctionType):
        cells = [cell for cell in thing.__closure__ or () if _full(cell)]
        return [thing.__defaults__, thing.__kwdefaults__, vars(thing), *cells]
    if isinstance(thing, weakref.ref):
        return [thing(), thing.__callback__]
    if isinstance(thing, np.ndarray):
        return [thing.base, *(thing.flat if thing.dtype == object else ())]
    if isinstance(thing, types.BuiltinMethodType):
        return [thing.__self__]
    # Attributes, slots, items, cells, bound methods and classes: all that the collector sees.
    return gc.get_referents(thing)


def _full(cell):
    try:
        _ = cell.cell_contents
    except ValueError:
        return False
    return True


def _reveals(thing, secret):
    """Why `thing` tells the secret ratings; empty if it does not."""
    if isinstance(thing, RatingMatrix):
        return "equals them" if thing.checksum == secret.checksum else ""
    if isinstance(thing, torch.Tensor):
        thing = thing.detach()
        thing = (thing.coalesce().values() if thing.is_sparse else thing).cpu()
        if thing.layout != torch.strided or thing.dtype == torch.bfloat16:
            return ""
        thing = thing.numpy()
    if not isinstance(thing, np.ndarray) or thing.dtype.kind not in "iuf":
        return ""
    for name in ("users", "items", "ratings"):
        array = getattr(secret, name)
        if np.may_share_memory(thing, array):
            return f"shares the memory of their {name}"
        if thing.size == array.size and np.array_equal(thing.ravel(), array):
            return f"equals their {name}"
    dense = {secret.shape: thing, secret.shape[::-1]: thing.T}.get(thing.shape)
    if dense is not None and np.array_equal(dense[secret.users, secret.items], secret.ratings):
        return "is a matrix that holds them"
    return ""
