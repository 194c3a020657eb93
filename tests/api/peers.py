"""The other side of URLs: a web server that does what a test tells it, a real S3 implementation (moto, which checks
signatures as Amazon does), Azure's protocol with its signatures, and real databases of this machine."""

import base64
import glob
import hashlib
import hmac
import http.server
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from xml.sax.saxutils import escape

READY_SECONDS_MAX = 30


# --- a web server -------------------------------------------------------------------------------

class _Listener(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024  # all of a test's connections may come at once

    def handle_error(self, request, client_address):
        pass  # clients go away when they have enough


class Web:
    """Serves GET by paths: `web.on("/a", handler)`. A handler gets the request's handler object, on
    which it says what it wants; `web.seen` has (path, headers) of all requests."""

    def __init__(self):
        self.handlers, self.seen = {}, []
        self.gone = threading.Event()  # set at the end: what hangs goes on
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                path = self.path.split("?")[0]
                web.seen.append((path, dict(self.headers)))
                web.handlers.get(path, not_found)(self)

            def log_message(self, *args):
                pass

        self.server = _Listener(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"127.0.0.1:{self.server.server_port}"

    def on(self, path, handler):
        self.handlers[path] = handler
        return f"http://{self.address}{path}"

    def count(self, path):
        return sum(seen == path for seen, _ in self.seen)

    def stop(self):
        self.gone.set()
        self.server.shutdown()
        self.server.server_close()


def answer(request, status=200, data=b"", headers=(), length=None):
    """An answer whose Content-Length may lie; then the connection is closed after the data."""
    request.send_response(status)
    request.send_header("Content-Length", str(len(data) if length is None else length))
    for name, value in headers:
        request.send_header(name, value)
    request.end_headers()
    request.wfile.write(data)
    request.close_connection = length is not None


def not_found(request):
    answer(request, 404, b"nothing here")


def content(data, headers=()):
    return lambda request: answer(request, 200, data, headers)


def status(code, headers=()):
    return lambda request: answer(request, code, b"no", headers)


def in_turn(*handlers):
    """The first request is for the first handler, …, and all later ones are for the last."""
    left = list(handlers)
    return lambda request: (left.pop(0) if len(left) > 1 else left[0])(request)


def ranged(data, etag):
    """The rest of the data, as the request's Range asks."""
    def handle(request):
        wanted = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))
        start = int(wanted[1]) if wanted else 0
        headers = [("ETag", etag), ("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")]
        answer(request, 206 if wanted else 200, data[start:], headers)
    return handle


def broken(data, sent, headers=()):
    """All is promised, and `sent` bytes come."""
    return lambda request: answer(request, 200, data[:sent], headers, length=len(data))


# --- processes ----------------------------------------------------------------------------------

class Process:
    """A server's process with a scratch folder."""

    stop_signal = signal.SIGTERM

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="pcv-peer-")
        self.process = None

    def start(self, command, env=None):
        self.log = open(os.path.join(self.folder, "log"), "ab")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log,
                                        env=dict(os.environ, **(env or {})))

    def until(self, what):
        end = time.monotonic() + READY_SECONDS_MAX
        while not (result := what()):
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{self.process.args[0]} did not start: {self.read_log()}")
            time.sleep(0.02)
        return result

    def read_log(self):
        with open(os.path.join(self.folder, "log"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def stop(self):
        if self.process:
            self.process.send_signal(self.stop_signal)
            self.process.wait()
            self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Moto(Process):
    """S3. After `check_signatures` only requests signed by `keys` are taken."""

    page = 20  # objects of a listing's page

    def __init__(self):
        super().__init__()
        self.start([sys.executable, "-u", "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"],
                   {"INITIAL_NO_AUTH_ACTION_COUNT": "1000000",
                    "MOTO_S3_DEFAULT_MAX_KEYS": str(self.page)})
        port = self.until(lambda: re.search(r"http://127\.0\.0\.1:(\d+)", self.read_log()))[1]
        self.address = f"127.0.0.1:{port}"
        self.url = f"http://{self.address}"
        self.keys = ("any", "thing")

    def client(self, service="s3"):
        import boto3
        return boto3.client(service, endpoint_url=self.url, region_name="us-east-1",
                            aws_access_key_id=self.keys[0], aws_secret_access_key=self.keys[1])

    def check_signatures(self):
        import json
        iam = self.client("iam")
        iam.create_user(UserName="tester")
        key = iam.create_access_key(UserName="tester")["AccessKey"]
        everything = {"Version": "2012-10-17",
                      "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
        iam.put_user_policy(UserName="tester", PolicyName="all",
                            PolicyDocument=json.dumps(everything))
        self.keys = (key["AccessKeyId"], key["SecretAccessKey"])
        urllib.request.urlopen(urllib.request.Request(
            f"{self.url}/moto-api/reset-auth", b"0", {"Content-Type": "text/plain"})).close()

    def env(self, **more):
        return {"AWS_ACCESS_KEY_ID": self.keys[0], "AWS_SECRET_ACCESS_KEY": self.keys[1],
                "AWS_ENDPOINT_URL": self.url, "AWS_REGION": "us-east-1", **more}


# --- databases ----------------------------------------------------------------------------------

def _as_other_user():
    """What must stand before a program that refuses to run as root."""
    return ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] \
        if os.getuid() == 0 else []


def _give_folder(folder):
    if os.getuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)


class Postgres(Process):
    """A PostgreSQL cluster of its own on a free port, with one user who has a password."""

    user, password = "loader", "secret of the loader"
    stop_signal = signal.SIGINT  # at once, whoever is connected

    @staticmethod
    def program(name):
        found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"))
        return found[-1] if found else shutil.which(name)

    def __init__(self):
        super().__init__()
        _give_folder(self.folder)
        data = os.path.join(self.folder, "data")
        word = os.path.join(self.folder, "word")
        with open(word, "w", encoding="utf-8") as file:
            file.write(self.password)
        os.chmod(word, 0o644)
        subprocess.run(_as_other_user() + [
            self.program("initdb"), "-D", data, "-U", self.user, "-A", "scram-sha-256", "--pwfile",
            word, "--no-sync", "-E", "UTF8", "--locale", "C"], check=True, capture_output=True)
        self.port = _free_port()
        self.start(_as_other_user() + [
            self.program("postgres"), "-D", data, "-p", str(self.port), "-c",
            "listen_addresses=127.0.0.1", "-k", self.folder, "-c", "fsync=off"])
        self.until(lambda: self.try_sql("SELECT 1") == 0)
        self.url = f"postgres://{self.user}@127.0.0.1:{self.port}/postgres"

    def start_sql(self, sql):
        """psql, running it; results come as they are made."""
        command = [self.program("psql"), "-h", "127.0.0.1", "-p", str(self.port), "-U", self.user,
                   "-d", "postgres", "-v", "ON_ERROR_STOP=1", "-qAt", "-F", "|", "-P", "null=NULL"]
        process = subprocess.Popen(
            command, env=dict(os.environ, PGPASSWORD=self.password), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        process.stdin.write(sql + ";\n")
        process.stdin.close()
        process.stdin = None
        return process

    def run_sql(self, sql):
        process = self.start_sql(sql)
        stdout, stderr = process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    def try_sql(self, sql):
        return self.run_sql(sql).returncode

    def sql(self, sql):
        done = self.run_sql(sql)
        if done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout.splitlines()


class MariaDb(Process):
    """The same of MariaDB or MySQL."""

    user, password = "loader", "secret of the loader"

    def __init__(self):
        super().__init__()
        _give_folder(self.folder)
        data, socket = os.path.join(self.folder, "data"), os.path.join(self.folder, "s")
        subprocess.run(_as_other_user() + [
            "mariadb-install-db", "--no-defaults", f"--datadir={data}", "--skip-test-db",
            "--auth-root-authentication-method=normal"], check=True, capture_output=True)
        self.port, self.socket = _free_port(), socket
        self.start(_as_other_user() + [
            shutil.which("mariadbd") or "/usr/sbin/mariadbd", "--no-defaults", f"--datadir={data}", f"--socket={socket}",
            f"--port={self.port}", "--bind-address=127.0.0.1"])
        self.until(lambda: self._run("SELECT 1").returncode == 0)
        self.sql(f"CREATE DATABASE loads; CREATE USER '{self.user}'@'%' IDENTIFIED BY "
                 f"'{self.password}'; GRANT ALL ON loads.* TO '{self.user}'@'%'")
        self.url = f"mysql://{self.user}@127.0.0.1:{self.port}/loads"

    def _run(self, sql):
        return subprocess.run(["mariadb", "--no-defaults", f"--socket={self.socket}", "-uroot",
                               "-N", "-B", "-e", sql], capture_output=True, text=True)

    def sql(self, sql):
        done = self._run(sql)
        if done.returncode:
            raise RuntimeError(done.stderr)
        return [line.replace("\t", "|") for line in done.stdout.splitlines()]


def _free_port():
    import socket
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# --- Azure's blob store -------------------------------------------------------------------------

class Azure:
    """As much of Blob Storage as clients need to read, list and write, which takes only requests
    signed with `key` as Microsoft describes ("Authorize with Shared Key")."""

    account, key = "tester", base64.b64encode(b"a key of thirty-two bytes, more or less").decode()
    page = 3  # objects of a listing's page

    def __init__(self):
        self.blobs, self.blocks, self.refused = {}, {}, []
        azure = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                path, _, query = self.path.partition("?")
                params = urllib.parse.parse_qs(query, keep_blank_values=True)
                if self.headers.get("Authorization") != azure.signature(self, path, params):
                    azure.refused.append(self.path)
                    return azure.error(self, 403, "AuthenticationFailed", "wrong signature")
                return azure.serve(self, urllib.parse.unquote(path), params, body)

            do_GET = do_PUT = do_DELETE = handle_one

            def log_message(self, *args):
                pass

        self.server = _Listener(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def env(self):
        return {"AZURE_STORAGE_ACCOUNT": self.account, "AZURE_STORAGE_KEY": self.key,
                "AZURE_STORAGE_ENDPOINT": self.url}

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def signature(self, request, path, params):
        plain = ["Content-Encoding", "Content-Language", "Content-Length", "Content-MD5",
                 "Content-Type", "Date", "If-Modified-Since", "If-Match", "If-None-Match",
                 "If-Unmodified-Since", "Range"]
        lines = [request.command] + [request.headers.get(name, "") for name in plain]
        lines[3] = "" if lines[3] == "0" else lines[3]
        own = {n.lower(): v for n, v in request.headers.items() if n.lower().startswith("x-ms-")}
        lines += [f"{name}:{own[name]}" for name in sorted(own)]
        resource = f"/{self.account}{path}"
        for name in sorted(params):
            resource += f"\n{name.lower()}:{','.join(sorted(params[name]))}"
        text = "\n".join(lines + [resource])
        digest = hmac.new(base64.b64decode(self.key), text.encode(), hashlib.sha256).digest()
        return f"SharedKey {self.account}:{base64.b64encode(digest).decode()}"

    @staticmethod
    def error(request, code, name, message):
        answer(request, code, f"<Error><Code>{name}</Code><Message>{message}</Message></Error>"
               .encode())

    def serve(self, request, path, params, body):
        if params.get("comp") == ["list"]:
            return self.list(request, path, params)
        if request.command == "PUT":
            return self.put(request, path, params, body)
        if path not in self.blobs:
            return self.error(request, 404, "BlobNotFound", "The blob does not exist.")
        if request.command == "DELETE":
            del self.blobs[path]
            return answer(request, 202)
        return ranged(self.blobs[path], '"e"')(request)

    def put(self, request, path, params, body):
        if params.get("comp") == ["block"]:
            self.blocks[path, params["blockid"][0]] = body
        elif params.get("comp") == ["blocklist"]:
            names = re.findall("<Latest>([^<]*)</Latest>", body.decode())
            self.blobs[path] = b"".join(self.blocks.pop((path, name)) for name in names)
        elif request.headers.get("x-ms-blob-type") == "BlockBlob":
            self.blobs[path] = body
        else:
            return self.error(request, 400, "MissingRequiredHeader", "x-ms-blob-type")
        return answer(request, 201)

    def list(self, request, path, params):
        prefix = f"{path}/{params['prefix'][0]}"
        names = sorted(name for name in self.blobs if name.startswith(prefix))
        start = int(params.get("marker", [""])[0] or 0)
        items = "".join(
            f"<Blob><Name>{escape(name[len(path) + 1:])}</Name><Properties><Content-Length>"
            f"{len(self.blobs[name])}</Content-Length></Properties></Blob>"
            for name in names[start:start + self.page])
        more = str(start + self.page) if start + self.page < len(names) else ""
        answer(request, 200, f"<EnumerationResults><Blobs>{items}</Blobs><NextMarker>{more}"
               "</NextMarker></EnumerationResults>".encode())
