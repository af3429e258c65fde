"""The local stack with the demo's studio on it, left running: ``python -m local.up``, and Ctrl-C to stop it.

Prints where everything is and how to edit on both sides by hand, then a line for each run, notification and change.
"""

import contextlib
import datetime as dt
import json
import pathlib
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from local.demo.checks import ends_before, entry_of_event
from local.demo.edits import upcoming
from local.demo.scene import Scene, account_of, connect, email_of, emulator_name, load, prepare
from local.demo.studio import IRYNA, MARCO, OLENA, STUDIO_ID, STUDIO_NAME, USERS, DemoUser
from local.demo.terminal import Terminal, end_now, stops_in_order
from local.firestore_emulator import EmulatorFailedError, EmulatorMissingError
from local.stack import ROOT, FunctionsFailedError, Stack

# Seconds. Cloud Scheduler calls fan_out every minute.
TICK = 60
# How long loading and the first populate may take before the addresses are printed all the same.
SETTLE_TIMEOUT = 60
# How often the functions' output is looked at.
LOOK = 0.2

# What the demo does not need: nobody connects her there.
IRYNAS_ACCOUNT = "iryna@gmail.example"
# Where a front-end's development server usually is, for whoever tries the console's routes from a page of their own.
FRONT_END = "http://127.0.0.1:5173"

EXIT_MISSING = 2

_JSON = "-H 'Content-Type: application/json'"
# The emulator answers NotFound to curl's own content type.
_OWNER = f"-H 'Authorization: Bearer owner' {_JSON}"


def addresses(scene: Scene) -> str:
    stack = scene.stack
    users = "\n".join(f"  {user.name}, {user.job}: {_account(user)}" for user in USERS)
    return f"""
Functions           {stack.functions_url}/fan_out, /sync_user, /studio_changed, /webhook, /console
Simulated Google    {stack.google.url}
Firestore emulator  {stack.emulator.host}   (FIRESTORE_EMULATOR_HOST; project {stack.project})
Scheduler           every {TICK} s

{STUDIO_NAME} (studios/{STUDIO_ID}), populated both ways:
{users}
"""


def _account(user: DemoUser) -> str:
    return account_of(user) if user.google else "an administrator, not connected: that is for you to do (below)"


def console(scene: Scene) -> str:
    """Where a browser finds the pages, and what there is to try."""
    stack = scene.stack
    requested = json.dumps({"writes": [_requested(scene)]})
    token = stack.firebase_token(studio_id=STUDIO_ID, user_id=IRYNA.id)
    return f"""
The console, in your browser:

  {stack.local_sign_in_url}      sign in as anybody of the studio, without a password
  {stack.console_url}/connect    the page of whoever is signed in

Or sign in as people do, with the simulated Google: each has an account there with the address that the studio
knows, such as {email_of(IRYNA)}. Olena and Marco have connected already. As {IRYNA.name}, click "Connect Google
Calendar", choose {IRYNAS_ACCOUNT} on Google's page, and her calendar fills. Leave a box unticked, or choose an
account that a colleague has, and see what is said. "Everybody" is for administrators: {IRYNA.name} is one.

To lose the access, as when somebody removes the app at Google: click "Remove access" of {account_of(OLENA)} there,
then "sync now" for Olena

  {stack.google.permissions_url}

  curl -s -X POST '{_firestore(stack)}:commit' {_OWNER} -d '{requested}'

A front-end calls the console with a Firebase ID token (docs/console.md). This one is {IRYNA.name}'s, for an hour.
Pages at {FRONT_END} may call, too

  curl -s '{stack.console_url}/connect' -H 'Authorization: Bearer {token}'
"""


def what_goes_wrong(scene: Scene) -> str:
    """How to make things go wrong; the commands are for this checkout."""
    url = scene.stack.functions_url
    faults = f"(cd {shlex.quote(str(ROOT))} && {shlex.quote(sys.executable)} -m local.faults --url {url}"
    aborted = json.dumps({"service": "firestore", "method": "Commit", "fault": "fail", "status": "ABORTED", "every": 5})
    return f"""
To make things go wrong, and to move the clock (docs/faults.md), in your browser

  {url}/_faults

or by commands: example 1 is Google answering 503 to a third of all calls; then a rule of your own, what was struck so
far, two hours later; then an end of it all, and the real time again

  {faults} add 1)

  {faults} add {shlex.quote(aborted)})

  {faults} list)

  {faults} clock +2h)

  {faults} clear)

  {faults} clock real)
"""


def set_up_iryna(scene: Scene) -> None:
    """For whoever plays with the stack: an administrator who can connect, and has not yet."""
    scene.studio.make_administrator(IRYNA.id)
    scene.studio.set_up(IRYNA.id, enabled=True, two_way_appointments=True, populate_calendar=True, populate_studio=True)
    for address in (email_of(IRYNA), IRYNAS_ACCOUNT):
        scene.stack.google.add_account(address, IRYNA.name, IRYNA.calendar_zone)


def commands(scene: Scene, environment: pathlib.Path) -> str:
    """To copy into another terminal: each is one line, and works as it stands. `environment`: a file to be sourced."""
    appointment_id = next(upcoming(scene, OLENA))
    marcos = upcoming(scene, MARCO)
    renamed, deleted = next(marcos), next(marcos)
    title, marcos_title, deleted_title = (
        scene.plan.appointments[one]["title"] for one in (appointment_id, renamed, deleted)
    )
    event_id = scene.event_of(OLENA, appointment_id)
    kept_out = _tentative(scene)
    kept_title = scene.typed[OLENA.id][kept_out]["summary"]
    calendar = f"{scene.stack.google.url}/calendar/v3/calendars/primary/events"
    google, marcos_google = (
        f"-H 'Authorization: Bearer {scene.stack.google.ui_token(account_of(user))}' {_JSON}" for user in (OLENA, MARCO)
    )
    at = dt.datetime.combine(scene.today + dt.timedelta(days=1), dt.time(9), dt.UTC)
    times = {name: {"dateTime": f"{value:%Y-%m-%dT%H:%M:%SZ}"} for name, value in _hour(at).items()}
    entry = json.dumps({"summary": "Typed by hand", **times})
    firestore = _firestore(scene.stack)
    name = f"{_documents(scene.stack)}/studios/{STUDIO_ID}/appointments/{appointment_id}"
    edit = json.dumps({"writes": [_studio_edit(name, "Renamed in the studio")]})
    find = json.dumps({"structuredQuery": _titled("Typed by hand")})
    rename = json.dumps({"summary": "Renamed by Marco"})
    why = (
        f"(cd {shlex.quote(str(ROOT))} && set -a && . {shlex.quote(str(environment))} && {shlex.quote(sys.executable)}"
    )
    asked = f"-m commands.why --studio {STUDIO_ID} --user {OLENA.id}"
    previewed = f"-m commands.preview --studio {STUDIO_ID} --user {OLENA.id}"
    return f"""
As Olena in her Google calendar (the token is that of Google's own page): a new entry, then (a second
later) how it stands in the studio

  curl -s -X POST '{calendar}' {google} -d '{entry}'

  sleep 1; curl -s -X POST '{firestore}/studios/{STUDIO_ID}:runQuery' {_OWNER} -d '{find}'

As the studio, “{title}” gets another title (only the fields named are written, updated_at by the
server, as the contract asks); then how it stands in Olena's calendar

  curl -s -X POST '{firestore}:commit' {_OWNER} -d '{edit}'

  sleep 1; curl -s '{calendar}/{event_id}' {google}

As Marco in his Google calendar: “{marcos_title}” gets another title, then how it stands in the studio

  curl -s -X PATCH '{calendar}/{scene.event_of(MARCO, renamed)}' {marcos_google} -d '{rename}'

  sleep 1; curl -s '{firestore}/studios/{STUDIO_ID}/appointments/{renamed}' {_OWNER}

As Marco: “{deleted_title}” is deleted (Google answers nothing); in the studio, its status is then "cancelled"

  curl -s -X DELETE '{calendar}/{scene.event_of(MARCO, deleted)}' {marcos_google}

  sleep 1; curl -s '{firestore}/studios/{STUDIO_ID}/appointments/{deleted}' {_OWNER}

Why is something not in Olena's calendar? For “{title}”, and for Marco's “{marcos_title}”.
Then why “{kept_title}”, a tentative entry of her calendar, is not in the studio. It ends with 0 only
if both sides are in step, and --json is for machines

  {why} {asked} --appointment {appointment_id})

  {why} {asked} --appointment {renamed})

  {why} {asked} --event {kept_out})

What populating Olena's calendar and the studio once more would come to; nothing of it is done

  {why} {previewed})

What the runs of Marco's calendar have changed. With --run and an id of this list it says what would be put back, and
with --apply it does so (docs/undo.md)

  {why} -m commands.undo --studio {STUDIO_ID} --user {MARCO.id})

Ctrl-C stops everything.
"""


def _tentative(scene: Scene) -> str:
    """An entry of Olena's calendar that stays out of the studio."""
    return next(
        key
        for key, body in scene.typed[OLENA.id].items()
        if body.get("status") == "tentative" and not ends_before(entry_of_event(body), scene.today)
    )


def write_environment(scene: Scene, folder: pathlib.Path) -> pathlib.Path:
    """What the functions find in their environment, as a file for a shell."""
    file = folder / "studio-sync.env"
    file.write_text("".join(f"{name}={shlex.quote(value)}\n" for name, value in scene.stack.environment().items()))
    return file


def _documents(stack: Stack) -> str:
    return f"projects/{stack.project}/databases/(default)/documents"


def _firestore(stack: Stack) -> str:
    """Where its documents are, over HTTP."""
    return f"http://{stack.emulator.host}/v1/{_documents(stack)}"


def _requested(scene: Scene) -> dict[str, Any]:
    """What a front-end writes for “sync now”, as Olena."""
    name = f"{_documents(scene.stack)}/studios/{STUDIO_ID}/users/{OLENA.id}"
    now = {"fieldPath": "sync.requested_at", "setToServerValue": "REQUEST_TIME"}
    return {"transform": {"document": name, "fieldTransforms": [now]}}


def _hour(start: dt.datetime) -> dict[str, dt.datetime]:
    return {"start": start, "end": start + dt.timedelta(hours=1)}


def _studio_edit(name: str, title: str) -> dict[str, Any]:
    return {
        "update": {"name": name, "fields": {"title": {"stringValue": title}}},
        "updateMask": {"fieldPaths": ["title"]},
        "updateTransforms": [{"fieldPath": "updated_at", "setToServerValue": "REQUEST_TIME"}],
    }


def _titled(title: str) -> dict[str, Any]:
    equal = {"field": {"fieldPath": "title"}, "op": "EQUAL", "value": {"stringValue": title}}
    return {"from": [{"collectionId": "appointments"}], "where": {"fieldFilter": equal}}


# --- what the functions say ------------------------------------------------------------------------------------------


def told(line: str, names: Mapping[str, str]) -> str | None:
    """A line of the functions' output in words; None for what is left out. `names`: of users, by connection."""
    try:
        entry = json.loads(line)
    except ValueError:
        return None  # The server's line for a request: what came of it has a line of its own.
    if not isinstance(entry, dict):
        return None
    match entry.get("message"):
        case "run":
            return f"run           {names.get(entry['connection'], entry['connection'])}: {entry['outcome']}"
        case "notification":
            return f"notification  {entry['outcome']}"
        case "studio changed":
            path = str(entry["document"]).partition(f"{STUDIO_ID}/")[2]
            return f"studio        {path} was written: concerns {entry['concerned']}"
        case "fanned out":
            return f"fan-out       {entry['enqueued']} enqueued"
        case message:
            return f"{str(entry.get('severity', '')).lower():<13} {message} {line}"


def follow(stack: Stack, names: Mapping[str, str]) -> Iterator[str]:
    """What is said from now on, without end."""
    seen = len(stack.output)
    while True:
        time.sleep(LOOK)
        lines = stack.output[seen:]
        seen += len(lines)
        for line in lines:
            if (words := told(line, names)) is not None:
                yield f"{dt.datetime.now():%H:%M:%S}  {words}"  # noqa: DTZ005 - the clock on the person's wall


def run() -> NoReturn:
    """Until the person has had enough of it: ends by `KeyboardInterrupt`."""
    terminal = Terminal()
    with contextlib.ExitStack() as running:
        with terminal.waiting("starting, loading the studio, populating both calendars"):
            emulator = emulator_name()
            stack = running.enter_context(Stack(tick_seconds=TICK, front_end_origins=[FRONT_END]))
            scene = prepare(stack)
            load(scene)
            set_up_iryna(scene)
            stack.settle(SETTLE_TIMEOUT)
            connect(scene)
            stack.settle(SETTLE_TIMEOUT)
        terminal.line(f"Runs on {emulator}; Google is simulated.")
        environment = write_environment(scene, pathlib.Path(running.enter_context(tempfile.TemporaryDirectory())))
        # Not wrapped to the terminal's width: these are to be copied.
        print(
            addresses(scene), console(scene), what_goes_wrong(scene), commands(scene, environment), sep="", flush=True
        )
        names = {connection: user for user, connection in scene.connections.items()}
        for line in follow(stack, names):
            print(line, flush=True)
    raise AssertionError("what the functions say has no end")


def main() -> int:
    try:
        with stops_in_order():
            run()
    except EmulatorMissingError as missing:
        print(missing, file=sys.stderr)
        return EXIT_MISSING
    except (EmulatorFailedError, FunctionsFailedError) as failed:
        print(failed, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        end_now(0, "Stopped.")


if __name__ == "__main__":
    sys.exit(main())
