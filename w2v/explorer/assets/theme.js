"use strict";
// Follows the system's light or dark theme until the button is pressed.

const byId = (id) => document.getElementById(id);

{
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => {
    const chosen = document.documentElement.dataset.theme;
    return chosen ? chosen === "dark" : system.matches;
  };
  const changed = () => {
    byId("theme").textContent = isDark() ? "Light" : "Dark";
    document.dispatchEvent(new Event("theme"));
  };
  byId("theme").addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    changed();
  });
  system.addEventListener("change", changed);
  byId("theme").textContent = isDark() ? "Light" : "Dark";
}
