extension FlameGraphPage {
    /// The page around the graphs: views, search, what is told of a frame, the address. State lives in the address behind
    /// `#`: `v` the view, `n` the node zoomed to, `f` the sandwich's function, `q` the search, `ic` where case is ignored,
    /// `o` icicle, `c` colours, `t` the theme, `w` the side whose widths are shown. `window.flameGraph` says what is drawn.
    static let pageScript = #"""
        const page = {
            tree: readTree(), view: "flame", sandwichFrame: -1, query: "", found: null, up: true, theme: "", totals: null,
            colour: isDifference ? "difference" : "kind", sort: isDifference ? "change" : "own"
        };

        (function () {
            const $ = (id) => document.getElementById(id), views = $("views"), details = $("details");
            const firstColour = page.colour, firstSide = shownSide;
            let totalOfAll = page.tree.total[0];
            views.replaceChildren();
            for (const part of document.querySelectorAll(".difference")) part.hidden = !isDifference;
            if (!isDifference) $("colour").querySelector("[value=difference]").remove();

            function section(id) {
                const part = document.createElement("section");
                part.id = id;
                part.style.cssText = "flex:1;min-height:0;display:none;flex-direction:column";
                views.append(part);
                return part;
            }
            const places = { flame: section("flame"), sandwich: section("sandwich"), table: section("table") };
            const flame = new Graph(places.flame, "Flame graph", true, page);
            const heading = document.createElement("h2");
            places.sandwich.append(heading);
            const callers = new Graph(places.sandwich, "Callers", true, page);
            const callees = new Graph(places.sandwich, "Callees", false, page);

            function amount(value) { return Math.round(value / facts.divisor).toLocaleString("en-US") + " " + facts.unit; }
            function share(value, whole) { return (whole > 0 ? 100 * value / whole : 100).toFixed(2) + "%"; }

            function signed(part) { return (part < 0 ? "-" : "+") + Math.abs(100 * part).toFixed(2); }
            function sides(base, against) { return [base / whole.base, against / whole.against]; }
            /** Of two sides: both shares and how many points lie between them. */
            function change(base, against) {
                const [before, after] = sides(base, against);
                return "base " + share(before, 1) + ", against " + share(after, 1) + ", " + signed(after - before) + " points";
            }

            page.tell = function (graph, node) {
                if (node < 0) { details.textContent = ""; return; }
                const tree = graph.tree, frame = tree.frame[node], file = facts.files[facts.fileOf[frame]];
                const module = facts.modules[facts.moduleOf[frame]], total = tree.total[node], self = tree.self[node];
                let text = names[frame];
                if (isDifference) {
                    text += " (" + amount(tree[shownSide][node]) + "): " + change(tree.base[node], tree.against[node]) + ", "
                        + MOVED[tree.movement[node]].word;
                } else {
                    text += " (" + amount(total) + ", " + share(total, totalOfAll) + ")";
                }
                if (graph === flame && !isDifference) text += ", self " + share(self, totalOfAll);
                if (graph.focus !== 0) text += ", " + share(total, tree.total[graph.focus]) + " of what is zoomed to";
                if (module) text += "\n" + module;
                if (file) text += (module ? "  " : "\n") + file + (tree.line[node] ? ":" + tree.line[node] : "");
                details.textContent = text;
            };

            /** The share of what is shown that stands on or above a match, each stack once. */
            function matchedShare() {
                const { tree, focus } = flame, keys = isDifference ? ["base", "against"] : ["total"];
                const sums = keys.map(() => 0);
                let i = focus;
                while (i < tree.end[focus]) {
                    if (page.found[tree.frame[i]]) {
                        keys.forEach((key, n) => { sums[n] += tree[key][i]; });
                        i = tree.end[i];
                    } else i++;
                }
                return keys.map((key, n) => (isDifference ? key + " " : "")
                    + (isDifference && !tree[key][focus] ? "–" : share(sums[n], tree[key][focus]))).join(", ");
            }

            function search() {
                page.query = $("search").value;
                page.found = null;
                let said = "";
                if (page.query) {
                    try {
                        const pattern = new RegExp(page.query, $("ignorecase").checked ? "iu" : "u");
                        page.found = Uint8Array.from(names, (name) => pattern.test(name) ? 1 : 0);
                        said = "Matched: " + matchedShare();
                    } catch (error) {
                        said = "not a regular expression: " + error.message;
                    }
                }
                $("matched").textContent = said;
                redraw(true);
            }

            function redraw(isScroll) {
                for (const graph of page.view === "flame" ? [flame] : page.view === "sandwich" ? [callers, callees] : []) {
                    graph.draw(isScroll);
                }
                if (page.view === "table") table();
            }

            function show(view) {
                page.view = view;
                for (const name of Object.keys(places)) {
                    places[name].style.display = name === view ? "flex" : "none";
                    $("v-" + name).setAttribute("aria-pressed", name === view);
                }
                $("v-sandwich").disabled = page.sandwichFrame < 0;
                $("turn").textContent = page.up ? "Icicle" : "Flame";
                if (view === "sandwich") {
                    const trees = sandwich(page.tree, page.sandwichFrame), total = trees.callees.total[0];
                    const { base, against, movement } = trees.callees;
                    heading.textContent = names[page.sandwichFrame] + " ("
                        + (isDifference ? change(base[0], against[0]) + ", " + MOVED[movement[0]].word
                            : amount(total) + ", " + share(total, totalOfAll))
                        + "): who calls it, above; what it calls, below";
                    callers.show(trees.callers, 0);
                    callees.show(trees.callees, 0);
                }
                // What was given to the graph while it was hidden has no place yet.
                if (view === "flame" && flame.tree && !flame.isPlaced) flame.show(page.tree, flame.focus);
                redraw(false);
            }

            page.showSandwich = function (frame) {
                page.sandwichFrame = frame;
                show("sandwich");
                page.remember();
            };

            const MOST_ROWS = 500;
            /** What can be sorted by, its word, and what a row shows of it. */
            const COLUMNS = isDifference ? [
                ["base", "base", (f) => share(sides(page.totals.base[f], 0)[0], 1)],
                ["against", "against", (f) => share(sides(0, page.totals.against[f])[1], 1)],
                ["change", "change", (f) => signed(delta(f))],
                ["", "verdict", (f) => MOVED[facts.movements[f]].word]
            ] : [
                ["own", "self", (f) => share(page.totals.own[f], totalOfAll)],
                ["total", "total", (f) => share(page.totals.total[f], totalOfAll)]
            ];
            function delta(f) {
                const [before, after] = sides(page.totals.base[f], page.totals.against[f]);
                return after - before;
            }
            /** What is proved, and then how large it is. */
            function weightOfChange(f) { return (facts.movements[f] < 2 ? 2 : 0) + Math.abs(delta(f)); }

            function table() {
                page.totals ||= functionTotals(page.tree);
                const { own, total, base, against } = page.totals;
                const rows = [];
                for (let f = 0; f < frameCount; f++) {
                    const isThere = isDifference ? base[f] > 0 || against[f] > 0 : total[f] > 0;
                    if (facts.kinds[f] !== "-" && isThere && (!page.found || page.found[f])) rows.push(f);
                }
                const by = page.sort === "change" ? Float64Array.from(names, (_, f) => weightOfChange(f)) : page.totals[page.sort];
                const then = total || against;
                rows.sort((a, b) => by[b] - by[a] || then[b] - then[a] || (names[a] < names[b] ? -1 : 1));
                const place = places.table, element = document.createElement("table");
                const caption = element.createCaption(), head = element.createTHead().insertRow();
                caption.textContent = rows.length > MOST_ROWS
                    ? MOST_ROWS + " of " + rows.length + " functions; a search shows others" : rows.length + " functions";
                for (const [key, word] of [...COLUMNS, ["", "function"], ["", "module"]]) {
                    const cell = document.createElement("th");
                    cell.scope = "col";
                    cell.textContent = word;
                    if (key) {
                        const button = document.createElement("button");
                        button.textContent = word;
                        button.setAttribute("aria-pressed", page.sort === key);
                        button.onclick = () => { page.sort = key; table(); };
                        cell.replaceChildren(button);
                    }
                    head.append(cell);
                }
                const body = element.createTBody();
                for (const f of rows.slice(0, MOST_ROWS)) {
                    const row = body.insertRow();
                    for (const [, , text] of COLUMNS) row.insertCell().textContent = text(f);
                    const name = document.createElement("th"), button = document.createElement("button");
                    name.scope = "row";
                    button.textContent = names[f];
                    button.onclick = () => page.showSandwich(f);
                    name.append(button);
                    row.append(name);
                    row.insertCell().textContent = facts.modules[facts.moduleOf[f]];
                }
                place.style.overflow = "auto";
                place.replaceChildren(element);
            }

            function setWidths(side) {
                if (!isDifference) return;
                shownSide = side;
                $("widths").value = side;
                $("elided").textContent = side === "against" ? "only before" : "only after";
                page.tree.weigh().finish();
            }

            function setTheme(theme) {
                page.theme = theme;
                document.documentElement.classList.toggle("dark", theme === "dark");
                document.documentElement.classList.toggle("light", theme === "light");
                $("theme").textContent = isDark() ? "Light" : "Dark";
            }
            function isDark() {
                return page.theme ? page.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
            }

            page.remember = function () {
                const state = new URLSearchParams();
                if (page.view !== "flame") state.set("v", page.view);
                if (flame.focus) state.set("n", flame.focus);
                if (page.sandwichFrame >= 0) state.set("f", page.sandwichFrame);
                if (page.query) state.set("q", page.query);
                if ($("ignorecase").checked) state.set("ic", "1");
                if (!page.up) state.set("o", "icicle");
                if (page.colour !== firstColour) state.set("c", page.colour);
                if (shownSide !== firstSide) state.set("w", shownSide);
                if (page.theme) state.set("t", page.theme);
                const text = state.toString();
                history.replaceState(null, "", text ? "#" + text : location.pathname + location.search);
                if (page.found) $("matched").textContent = "Matched: " + matchedShare();
            };

            function restore() {
                const state = new URLSearchParams(location.hash.slice(1));
                const frame = Number(state.get("f") ?? -1), view = state.get("v");
                page.sandwichFrame = Number.isInteger(frame) && frame > 0 && frame < frameCount ? frame : -1;
                page.up = state.get("o") !== "icicle";
                page.colour = ["kind", "module"].includes(state.get("c")) ? state.get("c") : firstColour;
                $("colour").value = page.colour;
                setWidths(["base", "against"].includes(state.get("w")) ? state.get("w") : firstSide);
                $("ignorecase").checked = state.get("ic") === "1";
                setTheme(["dark", "light"].includes(state.get("t")) ? state.get("t") : "");
                flame.up = page.up;
                show(view === "table" || view === "sandwich" && page.sandwichFrame > 0 ? view : "flame");
                const node = Number(state.get("n") ?? 0);
                flame.show(page.tree, Number.isInteger(node) && node > 0 ? node : 0);
                $("search").value = state.get("q") ?? "";
                search();
            }

            for (const view of Object.keys(places)) {
                $("v-" + view).onclick = () => { show(view); page.remember(); };
            }
            function turn() {
                page.up = flame.up = !page.up;
                show("flame");
                flame.show(page.tree, flame.focus);
                page.remember();
            }
            function reset() {
                for (const graph of page.view === "sandwich" ? [callers, callees] : [flame]) {
                    graph.focus = graph.selected = 0;
                    graph.draw(false);
                }
                page.remember();
            }
            $("turn").onclick = turn;
            $("reset").onclick = reset;
            $("theme").onclick = () => { setTheme(isDark() ? "light" : "dark"); page.remember(); };
            $("colour").onchange = () => { page.colour = $("colour").value; redraw(true); page.remember(); };
            $("widths").onchange = () => {
                setWidths($("widths").value);
                // The sandwich's trees are made anew.
                show(page.view);
                if (page.found) search();
                page.remember();
            };
            $("search").oninput = $("ignorecase").onchange = () => { search(); page.remember(); };
            window.addEventListener("resize", () => redraw(false));
            window.addEventListener("hashchange", restore);
            window.addEventListener("keydown", (event) => {
                const isTyping = event.target === $("search");
                if ((event.ctrlKey || event.metaKey) && event.key === "f" || event.key === "F3" || event.key === "/" && !isTyping) {
                    event.preventDefault();
                    $("search").focus();
                    $("search").select();
                } else if (event.key === "Escape") {
                    if (isTyping && page.query) { $("search").value = ""; search(); page.remember(); } else reset();
                } else if (event.key === "i" && !isTyping && !event.ctrlKey && !event.metaKey) {
                    turn();
                }
            });

            /** What is drawn in a graph, from left to right and from the root on. */
            function drawn(graph) {
                return Array.from(graph.drawn.node, (node, n) => ({
                    name: names[graph.tree.frame[node]], depth: graph.tree.depth[node], x: graph.drawn.x[n],
                    width: graph.drawn.w[n], y: graph.top(graph.tree.depth[node]), total: graph.tree.total[node],
                    isElided: isDifference && !(graph.tree[shownSide][node] > 0),
                    faded: graph.tree.depth[node] < graph.tree.depth[graph.focus]
                }));
            }
            /** Other weights of the same nodes: what a span of time holds. */
            page.use = function (tree) {
                page.tree = tree;
                page.totals = null;
                totalOfAll = tree.total[0];
                flame.show(tree, tree.total[flame.focus] > 0 ? flame.focus : 0);
                show(page.view);
                search();
            };
            window.flameGraph = {
                drawn: () => page.view === "flame" ? drawn(flame) : [], callers: () => drawn(callers),
                callees: () => drawn(callees)
            };
            document.documentElement.classList.add("ready");
            restore();
        })();
        """#
}
