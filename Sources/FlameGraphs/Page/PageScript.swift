extension FlameGraphPage {
    /// The page around the graphs: views, search, what is told of a frame, the address. State lives in the address behind
    /// `#`: `v` the view, `n` the node zoomed to, `f` the sandwich's function, `q` the search, `ic` where case is ignored,
    /// `o` icicle, `c` colours, `t` the theme. `window.flameGraph` says what is drawn.
    static let pageScript = #"""
        const page = {
            tree: readTree(), view: "flame", sandwichFrame: -1, query: "", found: null, colour: "kind", up: true, theme: "",
            totals: null, sort: "own"
        };

        (function () {
            const $ = (id) => document.getElementById(id), views = $("views"), details = $("details");
            const totalOfAll = page.tree.total[0];
            views.replaceChildren();

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

            page.tell = function (graph, node) {
                if (node < 0) { details.textContent = ""; return; }
                const tree = graph.tree, frame = tree.frame[node], file = facts.files[facts.fileOf[frame]];
                const module = facts.modules[facts.moduleOf[frame]], total = tree.total[node], self = tree.self[node];
                let text = names[frame] + " (" + amount(total) + ", " + share(total, totalOfAll) + ")";
                if (graph === flame) text += ", self " + share(self, totalOfAll);
                if (graph.focus !== 0) text += ", " + share(total, tree.total[graph.focus]) + " of what is zoomed to";
                if (module) text += "\n" + module;
                if (file) text += (module ? "  " : "\n") + file + (tree.line[node] ? ":" + tree.line[node] : "");
                details.textContent = text;
            };

            /** The share of what is shown that stands on or above a match, each stack once. */
            function matchedShare() {
                const { tree, focus } = flame;
                let sum = 0, i = focus;
                while (i < tree.end[focus]) {
                    if (page.found[tree.frame[i]]) { sum += tree.total[i]; i = tree.end[i]; } else i++;
                }
                return share(sum, tree.total[focus]);
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
                    heading.textContent = names[page.sandwichFrame] + " (" + amount(total) + ", "
                        + share(total, totalOfAll) + "): who calls it, above; what it calls, below";
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
            function table() {
                page.totals ||= functionTotals(page.tree);
                const { own, total } = page.totals;
                const rows = [];
                for (let f = 0; f < frameCount; f++) {
                    if (facts.kinds[f] !== "-" && total[f] > 0 && (!page.found || page.found[f])) rows.push(f);
                }
                const by = page.totals[page.sort];
                rows.sort((a, b) => by[b] - by[a] || total[b] - total[a] || (names[a] < names[b] ? -1 : 1));
                const place = places.table, element = document.createElement("table");
                const caption = element.createCaption(), head = element.createTHead().insertRow();
                caption.textContent = rows.length > MOST_ROWS
                    ? MOST_ROWS + " of " + rows.length + " functions; a search shows others" : rows.length + " functions";
                for (const [key, word] of [["own", "self"], ["total", "total"], ["", "function"], ["", "module"]]) {
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
                    row.insertCell().textContent = share(own[f], totalOfAll);
                    row.insertCell().textContent = share(total[f], totalOfAll);
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
                if (page.colour !== "kind") state.set("c", page.colour);
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
                page.colour = state.get("c") === "module" ? "module" : "kind";
                $("colour").value = page.colour;
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
                    faded: graph.tree.depth[node] < graph.tree.depth[graph.focus]
                }));
            }
            window.flameGraph = {
                drawn: () => page.view === "flame" ? drawn(flame) : [], callers: () => drawn(callers),
                callees: () => drawn(callees)
            };
            document.documentElement.classList.add("ready");
            restore();
        })();
        """#
}
