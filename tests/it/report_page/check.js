// Appended to a report by the tests: measures what the browser has laid out, in both languages, and leaves
// what is wrong in the page as JSON.
(function () {
  "use strict";
  var faults = [];
  var counts = { charts: 0, texts: 0, tables: 0 };
  var page = document.documentElement;

  function overlap(a, b, by) {
    return Math.min(a.right, b.right) - Math.max(a.left, b.left) > by &&
      Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > by;
  }
  function inside(inner, outer, by) {
    return inner.left >= outer.left - by && inner.right <= outer.right + by &&
      inner.top >= outer.top - by && inner.bottom <= outer.bottom + by;
  }
  // The ink of a line of text is about two thirds of its box, which has room for accents above and below.
  function ink(element) {
    var box = element.getBoundingClientRect();
    var trim = box.height * 0.18;
    return { left: box.left, right: box.right, top: box.top + trim, bottom: box.bottom - trim, text: element.textContent };
  }
  function fault(language, what, element) {
    if (faults.length < 50) {
      faults.push(language + ": " + what + ": " + String(element.text || element.textContent).slice(0, 80));
    }
  }

  ["zh", "en"].forEach(function (language) {
    document.getElementById("show-" + language).checked = true;
    document.querySelectorAll("article").forEach(function (article) {
      var shown = article.getBoundingClientRect().height > 0;
      if (shown !== (article.className === language)) fault(language, "wrong article shown", article);
    });
    document.querySelectorAll("article." + language + " svg[role=img]").forEach(function (svg) {
      counts.charts += 1;
      var frame = svg.getBoundingClientRect();
      var texts = Array.from(svg.querySelectorAll("text"));
      var boxes = texts.map(ink);
      counts.texts += texts.length;
      boxes.forEach(function (box, at) {
        if (!inside(box, frame, 0.5)) fault(language, "text leaves its chart", box);
        for (var other = at + 1; other < boxes.length; other += 1) {
          if (overlap(box, boxes[other], 0.5)) fault(language, "text over " + boxes[other].text, box);
        }
      });
      svg.querySelectorAll("rect, line, path").forEach(function (shape) {
        var box = shape.getBoundingClientRect();
        if (!inside(box, frame, 1.5)) fault(language, shape.getAttribute("class") + " leaves its chart", svg);
        if (shape.tagName === "rect" && !/cell|here/.test(shape.getAttribute("class"))) {
          boxes.forEach(function (text) {
            if (overlap(box, text, 0.5)) fault(language, shape.getAttribute("class") + " over text", text);
          });
        }
      });
      svg.querySelectorAll("g").forEach(function (cell) {
        var figure = cell.querySelector("text"), box = cell.querySelector("rect").getBoundingClientRect();
        if (figure && !inside(ink(figure), box, 0)) fault(language, "figure leaves its cell", figure);
      });
    });
    document.querySelectorAll("article." + language + " .wide").forEach(function (wide) {
      counts.tables += 1;
      if (wide.scrollWidth > wide.clientWidth + 1 && window.innerWidth > 780) {
        fault(language, "table is " + wide.scrollWidth + " wide in " + wide.clientWidth, wide);
      }
    });
    document.querySelectorAll("article." + language + " :is(h1, h2, h3, p, li, th, td, figcaption)").forEach(function (box) {
      if (box.scrollWidth > box.clientWidth + 1) fault(language, "text leaves its box", box);
    });
    if (page.scrollWidth > window.innerWidth) fault(language, "page is " + page.scrollWidth + " wide in " + window.innerWidth, document.querySelector("h1"));
  });
  var ids = Array.from(document.querySelectorAll("[id]")).map(function (element) { return element.id; });
  if (new Set(ids).size !== ids.length) faults.push("ids are there twice");
  document.querySelectorAll("[aria-labelledby]").forEach(function (element) {
    element.getAttribute("aria-labelledby").split(" ").forEach(function (id) {
      if (!document.getElementById(id)) faults.push("no label " + id);
    });
  });
  counts.requests = performance.getEntriesByType("resource").length;
  counts.scripts = document.scripts.length;
  counts.foreign = document.querySelectorAll("img, iframe, object, embed, link, base, form, audio, video, [onload], [onerror]").length;
  counts.title = document.title;
  counts.width = window.innerWidth;
  counts.font = getComputedStyle(document.body).fontFamily;
  counts.faults = faults;
  var found = document.createElement("pre");
  found.id = "found";
  found.textContent = "FOUND" + JSON.stringify(counts) + "DNUOF";
  document.body.appendChild(found);
})();
