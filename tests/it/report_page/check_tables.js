// Appended to a page of tables by the tests: measures what the browser has laid out, and leaves what is wrong in
// the page as JSON.
(function () {
  "use strict";
  var faults = [];
  var counts = { tables: 0, texts: 0 };
  var page = document.documentElement;

  function fault(what, element) {
    if (faults.length < 50) faults.push(what + ": " + element.textContent.slice(0, 80));
  }
  function rects(element) {
    var range = document.createRange();
    range.selectNodeContents(element);
    return Array.from(range.getClientRects()).filter(function (box) { return box.width > 0; });
  }

  document.querySelectorAll(".wide").forEach(function (wide) {
    counts.tables += 1;
    if (wide.scrollWidth > wide.clientWidth + 1 && window.innerWidth > 1000) {
      fault("table is " + wide.scrollWidth + " wide in " + wide.clientWidth, wide);
    }
  });
  document.querySelectorAll("h1, h2, p, th, td").forEach(function (box) {
    counts.texts += 1;
    if (box.scrollWidth > box.clientWidth + 1) fault("text leaves its box", box);
    var outer = box.getBoundingClientRect();
    rects(box).forEach(function (inner) {
      // The ink of a line is about two thirds of its box, which has room for accents above and below.
      var trim = inner.height * 0.18;
      if (inner.left < outer.left - 0.5 || inner.right > outer.right + 0.5 ||
          inner.top + trim < outer.top || inner.bottom - trim > outer.bottom) fault("text leaves its box", box);
    });
  });
  // A figure, a day and a reference are read in one piece.
  document.querySelectorAll("td").forEach(function (cell) {
    var text = cell.textContent;
    var whole = cell.className === "number" || /^[\x21-\x7e]+$/.test(text);
    if (whole && rects(cell).length > 1) fault("broken over lines", cell);
  });
  // Cells of a row do not lie over each other.
  document.querySelectorAll("tr").forEach(function (row) {
    var boxes = Array.from(row.cells).map(function (cell) { return cell.getBoundingClientRect(); });
    for (var at = 1; at < boxes.length; at += 1) {
      if (boxes[at].left < boxes[at - 1].right - 1.5) fault("cells overlap", row);
    }
  });
  if (page.scrollWidth > window.innerWidth) fault("page is " + page.scrollWidth + " wide in " + window.innerWidth, document.querySelector("h1"));
  counts.requests = performance.getEntriesByType("resource").length;
  counts.scripts = document.scripts.length;
  counts.foreign = document.querySelectorAll("img, iframe, object, embed, link, base, form, audio, video, [onload], [onerror]").length;
  counts.title = document.title;
  counts.width = window.innerWidth;
  counts.faults = faults;
  var found = document.createElement("pre");
  found.id = "found";
  found.textContent = "FOUND" + JSON.stringify(counts) + "DNUOF";
  document.body.appendChild(found);
})();
