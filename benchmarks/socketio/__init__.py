"""Socket.IO: this package's server beside python-socketio."""
