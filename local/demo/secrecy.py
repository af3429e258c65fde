"""What must be nowhere: tokens, and what people wrote into private entries of their calendars."""

from local.demo import checks
from local.demo.checks import as_studio_sees, ends_before, entry_of_appointment, entry_of_event, exactly_once
from local.demo.scene import Scene
from local.demo.studio import CONNECTED
from local.demo.terminal import Terminal


def show_secrecy(scene: Scene, terminal: Terminal, when: str) -> None:
    documents, lines = _everything(scene)
    problems = checks.leaks(documents, "A document in Firestore") + checks.leaks(lines, "The functions' log")
    figure = f"{len(documents)} documents, {len(lines)} lines"
    terminal.check(f"No token in any document or log, {when}", problems, figure)


def show_secrecy_at_end(scene: Scene, terminal: Terminal) -> None:
    show_secrecy(scene, terminal, "at the end")
    show_unread(scene, terminal, "at the end")


def show_private(scene: Scene, terminal: Terminal) -> None:
    """Private entries are "Busy" in the studio, as they were in the calendar, and read by nobody in between."""
    blocks, kept, private = [], [], 0
    for user in CONNECTED:
        typed = {key: entry_of_event(body) for key, body in scene.typed[user.id].items() if is_private(body)}
        blocks += as_studio_sees(one for one in typed.values() if not ends_before(one, scene.since))
        there = [entry_of_event(event) for event in scene.person(user).events() if event["id"] in typed]
        kept += exactly_once(typed.values(), there, f"{user.name}'s calendar")
        private += len(typed)
    busy = [one for one in map(entry_of_appointment, scene.studio.appointments().values()) if one.title == checks.BUSY]
    problems = exactly_once(blocks, busy, "the studio")
    terminal.check("Private entries are “Busy” in the studio: private, their times kept", problems, f"{len(busy)}")
    terminal.check("Private entries keep their words in the calendars", kept, f"{private}")
    show_unread(scene, terminal, "after the populate")


def show_unread(scene: Scene, terminal: Terminal, when: str) -> None:
    entries = (entry_of_event(body) for typed in scene.typed.values() for body in typed.values() if is_private(body))
    secrets = {words for entry in entries for words in checks.words_of(entry)}
    documents, lines = _everything(scene)
    problems = checks.betrayed(secrets, documents, "A document in Firestore")
    problems += checks.betrayed(secrets, lines, "The functions' log")
    figure = f"{len(secrets)} texts, {len(documents)} documents"
    terminal.check(f"No private words in any document or log, {when}", problems, figure)


def show_tentative(scene: Scene, terminal: Terminal) -> None:
    origins = {(one.get("origin") or {}).get("event_id") for one in scene.studio.appointments().values()}
    problems, out = [], 0
    for user in CONNECTED:
        tentative = {key: body for key, body in scene.typed[user.id].items() if body.get("status") == "tentative"}
        inside = tentative.keys() & origins
        out += len(tentative) - len(inside)
        problems += [f"{entry_of_event(tentative[key])} is tentative, but came in." for key in sorted(inside)]
    terminal.check("Tentative entries stay out of the studio", problems, f"{out}")


def is_private(body: dict[str, object]) -> bool:
    return body.get("visibility") == "private"


def _everything(scene: Scene) -> tuple[list[str], list[str]]:
    return checks.all_documents(scene.stack.emulator.host, scene.stack.project), list(scene.stack.output)
