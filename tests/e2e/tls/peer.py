"""A requestor over TLS by Python's ssl (OpenSSL), driven by lines on standard input; one line answers each.

connect PORT                  ok
send HEX                      ok
singly                        ok, each octet of TCP in a segment of its own from now on
receive                       message HEX | closed | reset | failed REASON | nothing
tls VERSION[:CIPHERS] CA CERT KEY
                              ok VERSION SHA256-of-the-server's-certificate | failed REASON
end                           ok, closes the sending side
"""

import hashlib
import socket
import ssl
import sys

PATIENCE = 60
NAME = "lqd.example.net"


class Peer:
    def __init__(self, port):
        self.socket = socket.create_connection(("::1", port), PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.tls = None
        self.singly = False
        self.buffer = b""

    def write(self, octets):
        try:
            if self.singly:
                for octet in octets:
                    self.socket.sendall(bytes([octet]))
            else:
                self.socket.sendall(octets)
        except (BrokenPipeError, ConnectionResetError):
            pass  # shows at the next read

    def flush(self):
        self.write(self.outgoing.read())

    def fill(self):
        """Hands received octets to TLS."""
        octets = self.socket.recv(65536)
        if octets:
            self.incoming.write(octets)
        else:
            self.incoming.write_eof()

    def drive(self, call):
        """Repeats a call of TLS until it needs nothing more from the socket."""
        while True:
            try:
                return call()
            except ssl.SSLWantReadError:
                self.flush()
                self.fill()
            finally:
                self.flush()

    def start(self, version, ca, certificate, key):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(ca)
        if certificate != "-":
            context.load_cert_chain(certificate, key)
        version, _, ciphers = version.partition(":")
        # Level 0 lets OpenSSL offer versions and ciphers that are weak.
        context.set_ciphers(f"{ciphers or 'DEFAULT'}:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = {
            "1.1": ssl.TLSVersion.TLSv1_1,
            "1.2": ssl.TLSVersion.TLSv1_2,
            "1.3": ssl.TLSVersion.TLSv1_3,
        }[version]
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=NAME)
        self.drive(tls.do_handshake)
        self.tls = tls
        return f"ok {tls.version()} {hashlib.sha256(tls.getpeercert(True)).hexdigest()}"

    def send(self, octets):
        if self.tls:
            self.drive(lambda: self.tls.write(octets))
        else:
            self.write(octets)
        return "ok"

    def read(self):
        if not self.tls:
            return self.socket.recv(65536)
        try:
            return self.drive(lambda: self.tls.read(65536))
        except ssl.SSLZeroReturnError:
            return b""

    def receive(self):
        try:
            while len(self.buffer) < 2 or len(self.buffer) < 2 + int.from_bytes(self.buffer[:2], "big"):
                octets = self.read()
                if not octets:
                    return f"cut {self.buffer.hex()}" if self.buffer else "closed"
                self.buffer += octets
        except ConnectionResetError:
            return "reset"
        except socket.timeout:
            return "nothing"
        end = 2 + int.from_bytes(self.buffer[:2], "big")
        message, self.buffer = self.buffer[2:end], self.buffer[end:]
        return f"message {message.hex()}"


def obey(peer, command, arguments):
    if command == "tls":
        return peer.start(*arguments)
    if command == "send":
        return peer.send(bytes.fromhex(arguments[0]))
    if command == "singly":
        peer.singly = True
        return "ok"
    if command == "receive":
        return peer.receive()
    if command == "end":
        peer.socket.shutdown(socket.SHUT_WR)
        return "ok"
    raise ValueError(command)


peer = None
for line in sys.stdin:
    command, *arguments = line.split()
    if command == "connect":
        peer, answer = Peer(int(arguments[0])), "ok"
    else:
        try:
            answer = obey(peer, command, arguments)
        except (ssl.SSLError, OSError) as error:
            answer = f"failed {getattr(error, 'reason', None) or error}"
    print(answer, flush=True)
