"""A gate that user code passes by asking for a page: it counts who came, and holds whom it is told.

User code shares the machine's network, so what a test waits for is the code's own arrival.
"""

import http.server
import threading
from collections import Counter

WAIT_SECONDS = 40


class Gate:
    def __init__(self):
        self.changed = threading.Condition()
        self.reset()
        gate = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = b"%d" % gate._arrive(self.path[1:])
                try:
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    pass  # who asked was killed meanwhile

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def reset(self):
        with self.changed:
            self._counts, self._held, self._nth, self._waiting = Counter(), set(), 0, []
            self._is_open = False

    def close(self):
        self.open()
        self.server.shutdown()
        self.server.server_close()

    # --- for user code ---

    def url(self, name):
        return f"http://127.0.0.1:{self.server.server_port}/{name}"

    def script(self, name):
        """Shell that passes the gate and prints the how-manieth of this name it was."""
        return ("python3 -c 'import sys, urllib.request as u; "
                "print(u.urlopen(sys.argv[1]).read().decode())' %s" % self.url(name))

    def _arrive(self, name):
        with self.changed:
            self._counts[name] += 1
            number = self._counts[name]
            if sum(self._counts.values()) == self._nth:
                self._held.add(name)
            if name in self._held and not self._is_open:
                self._waiting.append(name)
            self.changed.notify_all()
            while name in self._held and not self._is_open:
                self.changed.wait()
            return number

    # --- for the test ---

    def hold(self, *names):
        with self.changed:
            self._held.update(names)

    def hold_nth(self, n):
        """Holds whoever is the nth to come, and that name from then on."""
        with self.changed:
            self._nth = n

    def open(self):
        with self.changed:
            self._is_open = True
            self.changed.notify_all()

    def count(self, name):
        return self.counts()[name]

    def counts(self):
        with self.changed:
            return Counter(self._counts)

    def _wait(self, what):
        with self.changed:
            if not self.changed.wait_for(what, WAIT_SECONDS):
                raise AssertionError(f"nobody came: {self._counts}")

    def wait_for(self, name, n=1):
        self._wait(lambda: self._counts[name] >= n)

    def wait_for_any(self):
        self._wait(lambda: sum(self._counts.values()) > 0)

    def wait_for_held(self):
        """The first name that is being held."""
        self._wait(lambda: self._waiting)
        return self._waiting[0]
