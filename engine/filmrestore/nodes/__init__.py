"""What an artist places: restore, degrade, grain; each one pipeline."""
