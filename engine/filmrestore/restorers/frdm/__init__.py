"""frdm: restoration guided by neighbours and the whole frame, finished by a few-step bridge sampler."""
