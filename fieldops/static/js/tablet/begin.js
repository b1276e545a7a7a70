/*
 * Before everything else, and needing nothing of it: the chosen light, so that night is not lit up,
 * a word to whoever waits when the page itself cannot begin, and the map's large modules beside the
 * page's own where the map is what was opened.
 */
{
  const PATIENCE_MS = 20_000;
  const root = document.documentElement;
  try {
    if (localStorage.getItem("fieldops-tablet.theme") === "dark") root.dataset.theme = "dark";
  } catch {
    // A browser that keeps nothing: the page says what that means.
  }

  /** @param {string} why */
  const tell = (why) => {
    const page = document.getElementById("page");
    // The first page that is opened stands in an element of its own, with its name.
    if (!page || page.dataset.page || page.dataset.state !== "opening") return;
    page.dataset.state = "failed";
    const texts = [
      ["zh-CN", "页面未能打开。您的记录仍保存在本机。请重新打开；若仍不行，请联系调度。"],
      ["en", "The page could not be opened. What you recorded is still on this device. Open it again; if that does not help, call dispatch."],
      ["en", why],
    ];
    page.replaceChildren(...texts.map(([lang, text]) => {
      const line = document.createElement("p");
      line.lang = lang ?? "";
      line.textContent = text ?? "";
      return line;
    }));
    const again = document.createElement("a");
    again.href = "/tablet";
    again.className = "button primary";
    again.textContent = "重新打开 · Open again";
    page.append(again);
  };

  // A script that cannot be fetched tells only its element, which does not bubble: hence "capture".
  addEventListener("error", (event) => {
    if (event.target instanceof HTMLScriptElement) tell(event.target.src);
    else if (event instanceof ErrorEvent) tell(event.message);
  }, true);
  setTimeout(() => tell("…"), PATIENCE_MS);

  // Whoever asks for them next is told what failed; here it is only too early to say.
  if (location.hash.startsWith("#/map")) import("./map_page.js").catch(() => undefined);
}
