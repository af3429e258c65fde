"""The emulator's life: found, started, stopped, never left behind."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
from google.cloud import firestore

from local import firestore_emulator
from local.firestore_emulator import EmulatorFailedError, EmulatorMissingError, FirestoreEmulator

PROJECT = "studio-test"


def test_the_real_client_writes_and_reads_and_clear_empties(emulator: FirestoreEmulator, firestore_host: str) -> None:
    client = firestore.Client(project=PROJECT)
    client.document("studios/s1").set({"name": "Studio"})
    assert client.document("studios/s1").get().to_dict() == {"name": "Studio"}
    emulator.clear(PROJECT)
    assert not client.document("studios/s1").get().exists


def test_an_emulator_that_already_runs_is_used_and_left_running(
    emulator: FirestoreEmulator, firestore_host: str
) -> None:
    other = FirestoreEmulator()
    other.start()
    assert other.host == firestore_host
    other.stop()
    emulator.clear(PROJECT)


def test_what_the_emulator_refuses_is_said_in_its_words(emulator: FirestoreEmulator) -> None:
    with pytest.raises(EmulatorFailedError, match="answered 4"):
        emulator._request("POST", "/emulator/v1/projects/p/eventarcTrigger", "no json")


@pytest.mark.parametrize("pattern", ["studios/{studio", "studios", "studios/{s}/clients", "/studios/{s}", "a/b/", ""])
def test_a_malformed_pattern_is_refused_before_it_can_break_the_emulator(
    emulator: FirestoreEmulator, pattern: str
) -> None:
    with pytest.raises(ValueError, match="pattern"):
        emulator.register_trigger(PROJECT, "wrong", pattern)


def test_a_missing_jar_or_java_is_answered_with_the_commands_that_install_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    monkeypatch.delenv("FIRESTORE_EMULATOR_HOST", raising=False)
    monkeypatch.delenv("FIRESTORE_EMULATOR_JAR", raising=False)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(EmulatorMissingError, match="apt-get install google-cloud-cli-firestore-emulator"):
        firestore_emulator.find_jar()
    with pytest.raises(EmulatorMissingError, match="firebase setup:emulators:firestore"):
        firestore_emulator.find_jar()
    with pytest.raises(EmulatorMissingError, match="apt-get install default-jre-headless"):
        firestore_emulator.find_java()
    with pytest.raises(EmulatorMissingError):
        FirestoreEmulator().start()


def check_installed(**environment: str) -> "subprocess.CompletedProcess[str]":
    root = pathlib.Path(firestore_emulator.__file__).parent.parent
    command = [sys.executable, "-m", "local.firestore_emulator"]
    return subprocess.run(
        command, cwd=root, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


def test_the_check_before_a_demo_says_nothing_where_all_is_installed(emulator: FirestoreEmulator) -> None:
    # The fixture is here to end this where no emulator is installed.
    ended = check_installed()
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_the_check_before_a_demo_says_what_to_install(tmp_path: pathlib.Path) -> None:
    nowhere = str(tmp_path / "no.jar")
    nothing = {"PATH": str(tmp_path), "HOME": str(tmp_path), "JAVA_HOME": ""}
    missing = check_installed(**nothing, FIRESTORE_EMULATOR_JAR="")
    assert (missing.returncode, missing.stdout) == (2, "")
    assert "apt-get install google-cloud-cli-firestore-emulator" in missing.stderr
    named = check_installed(**nothing, FIRESTORE_EMULATOR_JAR=nowhere)
    assert named.returncode == 2
    assert nowhere in named.stderr
    assert "Unset it, or point it at a jar" in named.stderr
    assert "Traceback" not in missing.stderr + named.stderr


def test_the_jar_is_taken_from_the_variable_then_the_sdk_then_the_newest_download(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("FIRESTORE_EMULATOR_JAR", raising=False)
    cache = tmp_path / ".cache/firebase/emulators"
    cache.mkdir(parents=True)
    for number, version in enumerate(("1.9.0", "1.10.0")):
        jar = cache / f"cloud-firestore-emulator-v{version}.jar"
        jar.touch()
        os.utime(jar, (number, number))
    assert firestore_emulator.find_jar().name == "cloud-firestore-emulator-v1.10.0.jar"
    gcloud, in_sdk = tmp_path / "sdk/bin/gcloud", tmp_path / "sdk" / firestore_emulator._BELOW_SDK
    for path in (gcloud, in_sdk):
        path.parent.mkdir(parents=True)
        path.touch(mode=0o755)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/gcloud").symlink_to(gcloud)
    assert firestore_emulator.find_jar() == in_sdk
    monkeypatch.setenv("FIRESTORE_EMULATOR_JAR", str(cache / "cloud-firestore-emulator-v1.9.0.jar"))
    assert firestore_emulator.find_jar().name == "cloud-firestore-emulator-v1.9.0.jar"


def test_an_emulator_that_ends_at_once_is_reported_with_its_last_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    java = tmp_path / "bin/java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho 'java.lang.UnsupportedClassVersionError: oh dear'\nexit 3\n")
    java.chmod(0o755)
    jar = tmp_path / "emulator.jar"
    jar.touch()
    monkeypatch.delenv("FIRESTORE_EMULATOR_HOST", raising=False)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    monkeypatch.setenv("FIRESTORE_EMULATOR_JAR", str(jar))
    with pytest.raises(EmulatorFailedError, match=r"(?s)exit status 3.*newer Java.*oh dear"):
        FirestoreEmulator().start()


def test_the_emulator_ends_with_stop_and_with_the_process_that_started_it(
    emulator: FirestoreEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The fixture is here to skip this where no emulator is installed.
    monkeypatch.delenv("FIRESTORE_EMULATOR_HOST", raising=False)
    stopped = FirestoreEmulator()
    stopped.start()
    process = stopped._process
    stopped.stop()
    assert process.returncode is not None
    script = (
        "import threading, time; from local.firestore_emulator import FirestoreEmulator\n"
        "e = FirestoreEmulator()\n"
        # Started in a thread that ends: the emulator must outlive it.
        "t = threading.Thread(target=e.start); t.start(); t.join(); time.sleep(0.3)\n"
        "assert e._process.poll() is None\n"
        "print(e._process.pid, flush=True); time.sleep(60)\n"
    )
    root = pathlib.Path(firestore_emulator.__file__).parent.parent
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=root)
    pid = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    deadline = time.monotonic() + 5
    while is_running(pid):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    """Nobody may be there to reap it: a zombie counts as ended."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
