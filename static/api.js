// The page for scripts: a link to a question folds it out, and examples can be copied.
"use strict";

function foldOut() {
  const name = decodeURIComponent(location.hash.slice(1));
  const question = name && document.getElementById(name);
  if (question && question.matches("details")) {
    question.open = true;
    question.scrollIntoView();
  }
}
addEventListener("hashchange", foldOut);
foldOut();

// A second click on a link to the same question, which is no change of the address.
document.addEventListener("click", (event) => {
  const link = event.target.closest('a[href^="#"]');
  if (link && link.hash === location.hash) foldOut();
});

async function copyExample(button) {
  const text = button.closest(".example").querySelector("code").textContent;
  let words = "Copied";
  try {
    await navigator.clipboard.writeText(text);
  } catch (error) {
    getSelection().selectAllChildren(button.closest(".example").querySelector("code"));
    words = "Selected";
  }
  button.textContent = words;
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
}
document.querySelectorAll("[data-copy]").forEach((button) => {
  button.hidden = false;
  button.addEventListener("click", () => copyExample(button));
});
