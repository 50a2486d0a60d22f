// Finds rows by name and state. Without script every row is shown and the form stays hidden.
(() => {
  const form = document.querySelector("form.find");
  if (!form) return;
  const rows = [...document.querySelectorAll("[data-find]")];
  const text = form.querySelector("input");
  const state = form.querySelector("select");
  const count = form.querySelector("output");
  const plain = (s) => s.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").toLowerCase().trim();
  const show = () => {
    const words = plain(text.value).split(/\s+/);
    let shown = 0;
    for (const row of rows) {
      const fits = words.every((w) => plain(row.dataset.find).includes(w)) &&
        (!state || !state.value || row.dataset.states.split(" ").includes(state.value));
      row.hidden = !fits;
      shown += fits;
    }
    const asked = words.join("") || (state && state.value);
    for (const fold of document.querySelectorAll("details"))
      if (asked && fold.querySelector("[data-find]:not([hidden])")) fold.open = true;
    for (const group of document.querySelectorAll("[data-group]"))
      group.hidden = !group.querySelector("[data-find]:not([hidden])");
    count.textContent = count.dataset.text.replace("{shown}", shown).replace("{total}", rows.length);
  };
  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", show);
  show();
})();
