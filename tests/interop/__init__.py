"""Other people's WebSocket programs, against ours."""
