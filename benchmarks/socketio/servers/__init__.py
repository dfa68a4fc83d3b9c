"""Socket.IO servers, one each, with the same small application: ``echo`` is answered, ``say`` told to all."""
