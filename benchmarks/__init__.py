"""Benchmarks and long simulations: each topic prints its table with the repetitions and the simulation error."""
