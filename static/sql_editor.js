// The SQL of a visitor (ingest serve --allow-sql): coloured, sent with Shift-Enter, put in order.
"use strict";

const box = document.querySelector("textarea#sql-editor");
if (box && window.CodeMirror) {
  const editor = CodeMirror.fromTextArea(box, { mode: "text/x-sql", lineNumbers: true, lineWrapping: true });
  editor.setOption("extraKeys", { "Shift-Enter": () => box.form.requestSubmit(), Tab: false });
  const button = document.querySelector("button#sql-format");
  if (button && window.sqlFormatter) {
    button.hidden = false;
    button.addEventListener("click", () => editor.setValue(sqlFormatter.format(editor.getValue())));
  }
}
