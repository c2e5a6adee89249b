"""A fit whose module and curves a test looks into."""

from glocalk.data.side import SideInformation
from glocalk.run.monitor import Monitor
from glocalk.training.context import FitContext


def fit_kept(cls, config, train, test, *, seed=0, trainer=None, folder=None, side=None):
    """(completer, monitor) of a fit of the stepwise completer `cls` under an observer.

    The completer keeps the module that it trained, as `module`.
    """

    class Kept(cls):
        def _train(self, module, context):
            super()._train(module, context)
            self.module = module

    completer, monitor = Kept(config), Monitor(test)
    context = FitContext(
        seed=seed,
        observer=monitor.observer(),
        folder=folder,
        trainer=trainer or {},
        side=side or SideInformation(),
    )
    return completer.fit(train, context=context), monitor
