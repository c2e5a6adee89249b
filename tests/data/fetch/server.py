"""A server on this machine that answers as a test tells it to, right or wrong."""

import hashlib
import io
import socket
import struct
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CONTENT = b"".join(b"%d\t%d\t3\n" % (n, 7 * n) for n in range(20_000))
SIZE = len(CONTENT)
SHA = hashlib.sha256(CONTENT).hexdigest()


class Server:
    """Answers each GET with the next of its `answers`, and repeats the last one.

    An answer is a function of the handler; HEAD gets the status and headers of a whole file
    unless `head` says otherwise.
    """

    def __init__(self):
        self.answers, self.head, self.requests = [whole()], whole(), []
        self.lock, self.closing = threading.Lock(), threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            closing = self.closing

            def do_GET(self):
                with server.lock:
                    server.requests.append("GET")
                    answers = server.answers
                    answer = answers.pop(0) if len(answers) > 1 else answers[0]
                answer(self)

            def do_HEAD(self):
                with server.lock:
                    server.requests.append("HEAD")
                server.head(self)

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.http.handle_error = lambda *_: None
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def address(self, name="r.txt"):
        return f"http://127.0.0.1:{self.http.server_port}/{name}"

    def close(self):
        self.closing.set()
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


def whole(content=CONTENT, stated=None, sent=None, length=True, wait=0.0):
    """A file: its stated length, how much is sent before the connection breaks, how late."""

    def answer(handler):
        handler.send_response(200)
        if length:
            handler.send_header("Content-Length", str(len(content) if stated is None else stated))
        handler.end_headers()
        if handler.command == "HEAD":
            return
        handler.closing.wait(wait)
        handler.wfile.write(content[:sent])

    return answer


def status(code, location=None):
    def answer(handler):
        handler.send_response(code)
        if location:
            handler.send_header("Location", location)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def silent(handler):
    """Accepts the connection and says nothing."""
    handler.closing.wait(10)
    handler.close_connection = True


def reset(handler):
    """Ends the connection with RST, without an answer."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


def zipped(content, member="tiny/r.txt", method=zipfile.ZIP_DEFLATED):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        archive.writestr("tiny/README", "read me")
        archive.writestr(member, content)
    return stream.getvalue()
