"""Several machines, one community: what nodes share through Valkey or Redis."""
