"""The session with Python's smtplib: python3 smtp_library.py PORT SESSIONS AT_ONCE MESSAGE

Each of AT_ONCE threads holds its share of the sessions.
"""

import os
import smtplib
import sys
import threading


def session(port, message):
    # Without local_hostname, smtplib would look up a name in DNS.
    with smtplib.SMTP("127.0.0.1", port, local_hostname="client.example", timeout=10) as server:
        server.sendmail("hoge@example.com", ["hoge@example.com"], message)


def share(port, sessions, message):
    try:
        for _ in range(sessions):
            session(port, message)
    except Exception as error:
        # An exception alone would end only its thread, and the others would go on.
        print(repr(error), file=sys.stderr, flush=True)
        os._exit(1)


def main():
    port, sessions, at_once = map(int, sys.argv[1:4])
    with open(sys.argv[4], encoding="ascii") as file:
        message = file.read()
    threads = [
        threading.Thread(target=share, args=(port, sessions // at_once, message))
        for _ in range(at_once)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


main()
