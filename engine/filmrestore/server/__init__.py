"""The server that hosts talk to: listen, parse, answer; one worker for its device."""
