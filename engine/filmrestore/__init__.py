"""filmrestore: restore, degrade and grain for scanned film. Importing this package imports nothing else."""

__version__ = "0.1.0"
