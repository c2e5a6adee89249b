"""How a LightningModule is trained.

- `context.py`: seed, observer and checkpoint folder, which a completer is given.
- `stage.py`: the training of one LightningModule, resumable.
- `shared.py`: stages that several trainings have in common.
- `loop.py`: checkpoints of training loops that no Trainer runs.
- `callbacks.py`: seeding, evaluation, checkpoints and safe points to stop at.
- `checkpoints.py`: checkpoints written atomically and verified when they are read.
- `data.py`: data modules.
- `quiet.py`: Lightning without the messages that do not apply here.
- `trainer_options.py`: the check of options for `lightning.Trainer`.
"""
