"""The way from the tables of each release to those of the next: they only add (see `env`)."""
