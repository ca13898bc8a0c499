"""What somebody with a shell on a node runs there against somebody else's session."""

TAKE_PORTS = """
import select, socket, sys
listeners = []
for port in sys.argv[1:]:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    while True:
        try:
            listener.bind(("0.0.0.0", int(port)))
            listener.listen()
            break
        except OSError:
            pass
    listeners.append(listener)
print("listening", flush=True)
while True:
    for listener in select.select(listeners, [], [])[0]:
        connection, peer = listener.accept()
        connection.settimeout(2)
        try:
            print(peer[0], repr(connection.recv(65536)), flush=True)
        except OSError as error:
            print(peer[0], repr(error), flush=True)
        connection.close()
"""
"""Listens on these ports as soon as each is free, and prints what whoever connects sends."""

SHARE_PORT = """
import errno, socket, sys
reuse = (socket.SO_REUSEADDR, socket.SO_REUSEPORT)
for address in ("0.0.0.0", sys.argv[2], "127.0.0.1", "::"):
    for options in ((), reuse[:1], reuse[1:], reuse):
        listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        for option in options:
            listener.setsockopt(socket.SOL_SOCKET, option, 1)
        if ":" in address:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        try:
            listener.bind((address, int(sys.argv[1])))
            listener.listen()
            print("listens at", address, options)
        except OSError as error:
            print(errno.errorcode[error.errno])
        listener.close()
"""
"""Tries in every way to listen on a port that somebody listens on; prints how each ends."""

OPEN_SOCKETS = """
import errno, socket, sys
for path in sys.argv[1:]:
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(path)
            print("connected")
        except OSError as error:
            print(errno.errorcode[error.errno])
"""
"""Connects to sockets in the file system; prints how each ends."""

VISIT = """
import http.client, ssl, sys
address, port, *paths = sys.argv[1:]
anybodys = ssl._create_unverified_context()
connections = [http.client.HTTPSConnection(address, int(port), timeout=2, context=anybodys)]
for path in paths:
    connections.append(http.client.HTTPConnection(address, int(port), timeout=10))
for path, connection in zip([paths[0], *paths], connections):
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        print(path, answer.status, len(answer.read()))
    except (OSError, http.client.HTTPException) as error:
        print(path, type(error).__name__)
"""
"""Asks a server for these paths, by HTTP and once by HTTPS without a certificate; prints what it answers."""

ASK_WHAT_IT_IS = """
import socket, sys
NAME = b"Socket-Type"
def ask(port, of_type):
    with socket.create_connection(("127.0.0.1", int(port)), timeout=10) as connection:
        connection.sendall(b"\\xff" + bytes(8) + b"\\x7f\\3\\0" + b"NULL".ljust(20, b"\\0") + bytes(32))
        ready = b"\\5READY" + bytes([len(NAME)]) + NAME + len(of_type).to_bytes(4, "big") + of_type
        connection.sendall(bytes([4, len(ready)]) + ready)
        said = b""
        while True:
            more = connection.recv(1024)
            said += more
            value = said.partition(NAME)[2]
            if value[4:] and len(value) >= 4 + value[3]:
                return value[4 : 4 + value[3]].decode()
            if not more:
                return ""
for port in sys.argv[1:]:
    print(*{ask(port, of_type) for of_type in (b"PUSH", b"SUB", b"DEALER", b"REQ")} - {""})
"""
"""Introduces itself at ports of ZeroMQ (ZMTP 3.0) as each type in turn; prints the type that answers."""

READ_OUTPUT = """
import sys, zmq
socket = zmq.Context().socket(zmq.SUB)
socket.subscribe(b"")
for port in sys.argv[1:]:
    socket.connect("tcp://127.0.0.1:" + port)
print("connects", flush=True)
seen = 0
while seen < 3:
    message = b" ".join(socket.recv_multipart())
    for word in (b"said-in-the-open", b"said-in-secret"):
        if word in message:
            print(word.decode(), flush=True)
            seen += word == b"said-in-the-open"
"""
"""Subscribes to what kernels publish on these ports, until three outputs have come."""
