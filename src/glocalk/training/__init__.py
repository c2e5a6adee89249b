"""How a LightningModule is trained: context, stages, callbacks, checkpoints, data modules."""
