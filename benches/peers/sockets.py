"""The session with plain sockets and one regex: python3 sockets.py PORT SESSIONS AT_ONCE MESSAGE

Each of AT_ONCE threads holds its share of the sessions.
"""

import os
import re
import socket
import sys
import threading

REPLY = re.compile(rb"(?:\d{3}-[^\r\n]*\r\n)*(\d{3}) [^\r\n]*\r\n")


def reply(connection, code):
    received = b""
    while not (whole := REPLY.fullmatch(received)):
        more = connection.recv(4096)
        if not more:
            raise EOFError(f"closed instead of {code}")
        received += more
    if whole[1] != code:
        raise ValueError(f"wanted {code}, got {received}")


def session(port, dialogue):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reply(connection, b"220")
        for text, code in dialogue:
            connection.sendall(text)
            reply(connection, code)


def share(port, sessions, dialogue):
    try:
        for _ in range(sessions):
            session(port, dialogue)
    except Exception as error:
        # An exception alone would end only its thread, and the others would go on.
        print(repr(error), file=sys.stderr, flush=True)
        os._exit(1)


def main():
    port, sessions, at_once = map(int, sys.argv[1:4])
    with open(sys.argv[4], "rb") as file:
        message = file.read().replace(b"\n", b"\r\n")
    dialogue = [
        (b"HELO client.example\r\n", b"250"),
        (b"MAIL FROM:<hoge@example.com>\r\n", b"250"),
        (b"RCPT TO:<hoge@example.com>\r\n", b"250"),
        (b"DATA\r\n", b"354"),
        (message + b".\r\n", b"250"),
        (b"QUIT\r\n", b"221"),
    ]
    threads = [
        threading.Thread(target=share, args=(port, sessions // at_once, dialogue))
        for _ in range(at_once)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


main()
