"""A sweeper as a user installs one: Hydra looks for plug-ins in packages of this name."""

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper


class TellingSweeper(Sweeper):
    """Launches one run, and prints what it returns."""

    def setup(self, *, hydra_context, task_function, config):
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments):
        (job,) = self.launcher.launch([arguments], initial_job_idx=0)
        print(f"returned: {job.return_value}")


ConfigStore.instance().store(
    group="hydra/sweeper", name="telling", node={"_target_": f"{__name__}.TellingSweeper"}
)
