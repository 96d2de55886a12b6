"""Generated of the contract."""
