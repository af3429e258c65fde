"""The simulated Google of the local stack: `local.google.server.GoogleSimulator`."""
