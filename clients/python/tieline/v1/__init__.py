"""Generated of the contract by `generate`."""
