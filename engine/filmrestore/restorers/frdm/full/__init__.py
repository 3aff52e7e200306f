"""frdm at full size: the same method on a video diffusion model that the user brings in a folder."""
