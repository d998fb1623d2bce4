"""The parts of `tests/subscribers/node-red`."""
