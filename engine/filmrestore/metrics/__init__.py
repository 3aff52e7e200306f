"""What we measure, each with its definition."""
