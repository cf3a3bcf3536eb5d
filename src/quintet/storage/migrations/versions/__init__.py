"""One module for each step. What the previous release uses is removed one release later."""
