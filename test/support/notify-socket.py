"""A service manager's socket: prints every datagram that comes as one JSON line, until standard input ends."""
import json
import os
import socket
import sys
import threading

path = sys.argv[1]
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind(path)


def end_with_stdin():
    sys.stdin.read()
    os._exit(0)


threading.Thread(target=end_with_stdin, daemon=True).start()
print(json.dumps("listening"), flush=True)
while True:
    # Descriptors that come along (systemd-notify waits until its own is closed) are not taken, so the kernel closes them.
    print(json.dumps(listener.recv(65536).decode()), flush=True)
