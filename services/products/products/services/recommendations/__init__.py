"""What is popular, and what goes with what."""
