"""Puts the adapters where Nuke, Resolve and OpenFX hosts look, checks that they work, and takes them away again."""
