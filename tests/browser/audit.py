"""What every page must be: narrow enough for a small phone, named for a screen reader, readable in light and dark."""

from playwright.sync_api import Page

# CSS pixels: the width that WCAG 2.2 asks for (1.4.10, reflow), and its contrast (1.4.3) for text of normal size.
NARROWEST = 320
CONTRAST = 4.5

_NAMES = """() => {
  const problems = [];
  const count = (selector) => document.querySelectorAll(selector).length;
  if (count("h1") !== 1) problems.push(`${count("h1")} main headings`);
  if (count("main") !== 1) problems.push(`${count("main")} main parts`);
  if (!document.documentElement.lang) problems.push("no language");
  if (!/.+ – Studio Sync$/.test(document.title)) problems.push(`title: ${document.title}`);
  for (const field of document.querySelectorAll("input:not([type=hidden]), select, textarea")) {
    if (!field.labels.length) problems.push(`no label: ${field.outerHTML}`);
  }
  for (const one of document.querySelectorAll("a, button, summary")) {
    if (!one.textContent.trim()) problems.push(`no text: ${one.outerHTML}`);
  }
  for (const image of document.querySelectorAll("img:not([alt])")) problems.push(`no alt: ${image.outerHTML}`);
  const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
  for (const id of ids) if (ids.filter((other) => other === id).length > 1) problems.push(`id twice: ${id}`);
  for (const one of document.querySelectorAll("[aria-labelledby]")) {
    const name = document.getElementById(one.getAttribute("aria-labelledby"));
    if (!name) problems.push(`named by nothing: ${one.outerHTML}`);
  }
  return problems;
}"""

_TOO_WIDE = """() => {
  const [inner, whole] = [document.documentElement.clientWidth, document.documentElement.scrollWidth];
  return whole > inner ? [`${whole} pixels wide on a screen of ${inner}`] : [];
}"""

# Every text against the nearest background that is not see-through.
_PALE = """(least) => {
  const parts = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = ([red, green, blue]) => [red, green, blue]
    .map((value) => value / 255)
    .map((value) => (value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
    .reduce((sum, value, index) => sum + value * [0.2126, 0.7152, 0.0722][index], 0);
  const behind = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const color = parts(getComputedStyle(at).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  const problems = [];
  for (const one of document.body.querySelectorAll("*")) {
    const own = [...one.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    if (!own || !one.checkVisibility()) continue;
    const [a, b] = [light(parts(getComputedStyle(one).color)), light(behind(one))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < least) problems.push(`contrast ${ratio.toFixed(2)}: ${one.textContent.trim().slice(0, 40)}`);
  }
  return problems;
}"""


def audit(page: Page) -> list[str]:
    """What is wrong with the page as it is now, a sentence each."""
    page.evaluate("() => document.querySelectorAll('details').forEach((one) => { one.open = true })")
    problems: list[str] = page.evaluate(_NAMES)
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        problems += [f"{scheme}: {problem}" for problem in page.evaluate(_PALE, CONTRAST)]
    before = page.viewport_size
    page.set_viewport_size({"width": NARROWEST, "height": 640})
    problems += page.evaluate(_TOO_WIDE)
    if before is not None:
        page.set_viewport_size(before)
    page.evaluate("() => document.querySelectorAll('details').forEach((one) => { one.open = false })")
    return problems
