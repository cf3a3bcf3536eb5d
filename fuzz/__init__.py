"""Coverage-guided fuzzing of all that reads bytes from outside: `script/fuzz`. See README.md beside this."""
