"""What does it cost not to show them? The three levels measured against the configured server."""
