"""Many runs: mappings measured by the packet simulator, and grids of strategies compared."""
