"""CF-NADE: autoregressive, item-based."""
