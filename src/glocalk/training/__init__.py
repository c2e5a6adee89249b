"""How a LightningModule is trained.

- `context.py`: seed, observer and checkpoint folder, which a completer is given.
- `stage.py`: the training of one LightningModule, resumable.
- `callbacks.py`: seeding, evaluation and checkpoints at the ends of an epoch.
- `checkpoints.py`: checkpoints written atomically and verified when they are read.
- `data.py`: data modules.
- `quiet.py`: Lightning without the messages that do not apply here.
- `trainer_options.py`: the check of options for `lightning.Trainer`.
"""
