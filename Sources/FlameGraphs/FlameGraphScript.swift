extension FlameGraph {
    /// What makes the picture interactive. It reads only what the document itself says: each rectangle's `fg:x`, `fg:w`
    /// and `y`, each frame's title. State lives in the address: `x` and `y` of the frame zoomed to, `s` the search,
    /// `ic` where case is ignored.
    static let script = #"""
        (function () {
            "use strict";
            var NS = "urn:perf-fleet:flamegraph", MARGIN = 10, CHARACTER = 7.08, FOUND = "rgb(230,0,230)";
            var script = document.currentScript;
            var root = script && script.ownerSVGElement || document.querySelector("svg");
            function element(id) { return root.querySelector("#" + id); }
            var frames = element("frames"), details = element("details"), matched = element("matched");
            var unzoomButton = element("unzoom"), searchButton = element("search"), caseButton = element("ignorecase");
            var total = Number(frames.getAttribute("total_samples"));

            var all = Array.prototype.map.call(frames.children, function (g) {
                var rect = g.querySelector("rect"), title = g.querySelector("title").textContent;
                return {
                    g: g, rect: rect, text: g.querySelector("text"), title: title,
                    name: title.slice(0, title.lastIndexOf(" (")),
                    x: Number(rect.getAttributeNS(NS, "x") || rect.getAttribute("fg:x")),
                    w: Number(rect.getAttributeNS(NS, "w") || rect.getAttribute("fg:w")),
                    y: Number(rect.getAttribute("y")), fill: rect.getAttribute("fill"), visible: true, found: false
                };
            });
            var byElement = new Map(all.map(function (frame) { return [frame.g, frame]; }));
            var focus = all[0], term = "", ignoreCase = false;

            // Where a frame stands while `focus` fills the width: its own part of it above, the whole width below.
            function place(frame) {
                var isBelow = frame.y > focus.y;
                var spans = frame.x <= focus.x && frame.x + frame.w >= focus.x + focus.w;
                var within = frame.x >= focus.x && frame.x + frame.w <= focus.x + focus.w;
                frame.visible = isBelow ? spans : frame === focus || (frame.y < focus.y && within);
                frame.g.classList.toggle("hide", !frame.visible);
                frame.g.classList.toggle("ancestor", isBelow && frame.visible);
                if (!frame.visible) return;
                var left = isBelow ? 0 : (frame.x - focus.x) / focus.w;
                frame.share = isBelow ? 1 : frame.w / focus.w;
                if (!(focus.w > 0)) { left = 0; frame.share = 1; }
                frame.rect.setAttribute("x", (left * 100).toFixed(4) + "%");
                frame.rect.setAttribute("width", (frame.share * 100).toFixed(4) + "%");
                frame.text.setAttribute("x", (left * 100).toFixed(4) + "%");
            }

            function label(frame, width) {
                var room = Math.floor((frame.share * width - 6) / CHARACTER), text = "";
                if (room >= 3) {
                    var letters = frame.name.length <= room ? null : Array.from(frame.name);
                    text = !letters || letters.length <= room ? frame.name : letters.slice(0, room - 2).join("") + "..";
                }
                if (frame.text.textContent !== text) frame.text.textContent = text;
            }

            function resize() {
                var width = root.getBoundingClientRect().width || 1200;
                var inner = Math.max(1, width - 2 * MARGIN);
                frames.setAttribute("width", inner);
                searchButton.setAttribute("x", width - MARGIN - 30);
                caseButton.setAttribute("x", width - MARGIN);
                matched.setAttribute("x", width - MARGIN);
                all.forEach(function (frame) { if (frame.visible) label(frame, inner); });
            }

            function zoom(frame) {
                focus = frame;
                all.forEach(place);
                unzoomButton.classList.toggle("hide", focus === all[0]);
                resize();
                count();
                remember();
            }

            // Each column counts once, by the widest frame found in it: the union of what was found.
            function count() {
                if (!term) { matched.textContent = " "; return; }
                var found = all.filter(function (frame) { return frame.found && frame.visible; });
                found.sort(function (a, b) { return a.x - b.x || b.w - a.w; });
                var end = focus.x, limit = focus.x + focus.w, sum = 0;
                found.forEach(function (frame) {
                    var from = Math.max(end, frame.x), to = Math.min(limit, frame.x + frame.w);
                    if (to > from) { sum += to - from; end = to; }
                });
                var share = focus.w > 0 ? 100 * sum / focus.w : 0;
                matched.textContent = "Matched: " + share.toFixed(1) + "%";
            }

            function search(wanted) {
                var expression = null;
                if (wanted) {
                    try { expression = new RegExp(wanted, ignoreCase ? "i" : ""); } catch (error) {
                        details.textContent = "Not a regular expression: " + wanted;
                        return;
                    }
                }
                term = wanted || "";
                all.forEach(function (frame) {
                    frame.found = expression !== null && expression.test(frame.name);
                    var fill = frame.found ? FOUND : frame.fill;
                    if (frame.rect.getAttribute("fill") !== fill) frame.rect.setAttribute("fill", fill);
                });
                searchButton.classList.toggle("on", term !== "");
                searchButton.textContent = term ? "Reset Search" : "Search";
                count();
                remember();
            }

            function ask() {
                var wanted = prompt("Search for a function (a regular expression):", term);
                if (wanted !== null) search(wanted);
            }

            function toggleCase() {
                ignoreCase = !ignoreCase;
                caseButton.classList.toggle("on", ignoreCase);
                search(term);
            }

            function remember() {
                try {
                    var state = new URLSearchParams(location.search);
                    ["x", "y", "s", "ic"].forEach(function (key) { state.delete(key); });
                    if (focus !== all[0]) { state.set("x", focus.x); state.set("y", focus.y); }
                    if (term) state.set("s", term);
                    if (ignoreCase) state.set("ic", "1");
                    var query = state.toString();
                    history.replaceState(null, "", location.pathname + (query ? "?" + query : "") + location.hash);
                } catch (error) { /* a document without an address of its own keeps no state */ }
            }

            function frameOf(event) {
                var node = event.target;
                while (node && node.parentNode !== frames) node = node.parentNode;
                return node ? byElement.get(node) : undefined;
            }

            frames.addEventListener("click", function (event) {
                var frame = frameOf(event);
                if (frame) zoom(frame);
            });
            frames.addEventListener("mouseover", function (event) {
                var frame = frameOf(event);
                if (frame) details.textContent = "Function: " + frame.title;
            });
            frames.addEventListener("mouseout", function () { details.textContent = " "; });
            unzoomButton.addEventListener("click", function () { zoom(all[0]); });
            searchButton.addEventListener("click", function () { if (term) search(""); else ask(); });
            caseButton.addEventListener("click", toggleCase);
            window.addEventListener("keydown", function (event) {
                var control = event.ctrlKey || event.metaKey, key = event.key.toLowerCase();
                if (key === "f3" || control && key === "f") { event.preventDefault(); ask(); }
                else if (control && key === "i") { event.preventDefault(); toggleCase(); }
            });
            window.addEventListener("resize", resize);

            root.removeAttribute("viewBox");
            root.setAttribute("width", "100%");
            searchButton.classList.remove("hide");
            caseButton.classList.remove("hide");
            var wish = null, given = new URLSearchParams("");
            try { given = new URLSearchParams(location.search); } catch (error) { /* as above */ }
            if (given.has("x") && given.has("y")) {
                wish = all.find(function (frame) {
                    return frame.x === Number(given.get("x")) && frame.y === Number(given.get("y"));
                });
            }
            if (given.get("ic") === "1") { ignoreCase = true; caseButton.classList.add("on"); }
            if (given.get("s")) search(given.get("s"));
            zoom(wish || all[0]);
            // Alone in its window, a picture higher than that opens at the root, which is its lower end.
            if (!wish && root === document.documentElement && window === window.top) {
                window.scrollTo(0, root.getBoundingClientRect().height);
            }
            frames.setAttribute("data-ready", "1");
        })();
        """#
}
