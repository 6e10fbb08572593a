"use strict";
(() => {
  const search = document.getElementById("search");
  const severity = document.getElementById("severity");
  const suite = document.getElementById("suite");
  const boxes = [...document.querySelectorAll("input[data-verdict]")];
  const count = document.getElementById("count");
  // Texts are read once: the page may hold thousands of cases.
  const entries = [...document.querySelectorAll("[data-case]")].map((element) => ({
    element,
    verdict: element.dataset.verdict,
    severity: element.dataset.severity,
    suite: element.dataset.suite,
    text: element.dataset.case.toLowerCase() + " " + element.querySelector("[data-text]").textContent.toLowerCase(),
    listed: element.matches("details"),
  }));
  const apply = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const verdicts = new Set(boxes.filter((box) => box.checked).map((box) => box.dataset.verdict));
    let shown = 0;
    for (const entry of entries) {
      const fits = verdicts.has(entry.verdict)
        && (severity.value === "" || severity.value === entry.severity)
        && (suite.value === "" || suite.value === entry.suite)
        && words.every((word) => entry.text.includes(word));
      entry.element.classList.toggle("hidden", !fits);
      if (fits && entry.listed) shown += 1;
    }
    count.textContent = shown + " cases shown";
  };
  const goTo = (element) => { element.focus({ preventScroll: true }); element.scrollIntoView({ block: "start" }); };
  let pending = 0;
  const soon = () => { clearTimeout(pending); pending = setTimeout(apply, 120); };
  search.addEventListener("input", soon);
  for (const control of [severity, suite, ...boxes]) control.addEventListener("change", apply);
  for (const button of document.querySelectorAll("button[data-pick]")) {
    button.addEventListener("click", () => {
      search.value = ""; severity.value = "";
      suite.value = button.dataset.suite;
      for (const box of boxes) box.checked = box.dataset.verdict === button.dataset.pick;
      apply();
      const told = ["fail", "error", "warn"].includes(button.dataset.pick);
      goTo(document.getElementById(told ? "failures" : "all-cases"));
    });
  }
  document.getElementById("reset").addEventListener("click", () => {
    search.value = ""; severity.value = ""; suite.value = "";
    for (const box of boxes) box.checked = true;
    apply();
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.target.matches("input, select")) {
      if (event.key === "Escape") { search.value = ""; event.target.blur(); apply(); }
      return;
    }
    if (event.key === "/") { event.preventDefault(); search.focus(); }
    if (event.key === "j" || event.key === "k") {
      const failures = [...document.querySelectorAll("section.failure:not(.hidden)")];
      const here = failures.findIndex((failure) => failure.contains(document.activeElement));
      const next = failures[event.key === "j" ? here + 1 : Math.max(0, here - 1)];
      if (next) goTo(next);
    }
  });
  apply();
})();
