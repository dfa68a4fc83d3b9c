"""Socket.IO servers, with the same small application: ``echo`` is answered, ``say`` told to all.

Their heartbeats are far apart, as the load generator does not expect any.
"""
