public import Analysis
public import Profiles

/// What a page needs to show a flame scope above its graph, and the flame graph of any span of time that is selected in it.
public struct PageScope: Sendable {
    let scope: FlameScope
    /// In order of time: microseconds since the scope's start, node of the tree, weight in what the page's widths count.
    let moments: [(time: UInt64, node: UInt32, weight: UInt64)]

    /// - Parameters:
    ///   - moments: those that `scope` was made of.
    ///   - places: by moment, the node of the page's tree; see `NamedProfile.timedCallTree`.
    public init(_ scope: FlameScope, moments: SampleMoments, places: [UInt32], measure: Measure) {
        self.scope = scope
        let span = Int64(scope.columns) * 1_000_000_000
        self.moments = zip(moments.moments, places).compactMap { moment, place in
            let offset = moment.time.nanoseconds &- scope.start.nanoseconds
            guard offset >= 0, offset < span else { return nil }
            return (UInt64(offset / 1000), place, measure == .samples ? 1 : moment.weight)
        }.sorted { $0.time < $1.time }
    }

    /// Facts and moments, as the script reads them.
    ///
    /// - Parameter position: by node of the tree, its place in the page's order.
    func write(position: [UInt32], to bytes: inout [UInt8]) {
        func write(_ literal: String) { bytes.append(contentsOf: literal.utf8) }
        write("<script type=\"application/json\" id=\"scope\">{\"rows\":\(scope.rows),\"columns\":\(scope.columns)")
        write(",\"row\":\(scope.rowNanoseconds / 1000),\"count\":\(moments.count)")
        // Thousandths of a core; -1 where nothing was measured.
        write(",\"brightest\":\(Self.thousandths(scope.brightest)),\"cores\":[")
        for (index, cores) in scope.cores.enumerated() {
            if index > 0 { bytes.append(0x2C) }
            SVGText.append(cores.map { Self.thousandths($0) } ?? -1, to: &bytes)
        }
        write("],\"lost\":[")
        var isFirst = true
        for (index, isLost) in scope.hasLosses.enumerated() where isLost {
            if !isFirst { bytes.append(0x2C) }
            isFirst = false
            SVGText.append(index, to: &bytes)
        }
        write("]}</script>\n<script type=\"application/octet-stream\" id=\"moments\">")
        var columns: [UInt8] = []
        columns.reserveCapacity(moments.count * 6)
        var before: UInt64 = 0
        for moment in moments {
            FlameGraphPage.append(moment.time - before, to: &columns)
            FlameGraphPage.append(UInt64(position[Int(moment.node)]), to: &columns)
            FlameGraphPage.append(moment.weight, to: &columns)
            before = moment.time
        }
        Base64.append(columns, to: &bytes)
        write("</script>\n")
    }

    private static func thousandths(_ cores: Double) -> Int { Int(min(1e9, cores * 1000).rounded()) }

    static let view = """
        <section id="scope-view" aria-label="Flame scope">
        <p>CPU time by second, from left to right, and by offset within it, from top to bottom. Drag over a span to see its
        flame graph, or say it: <label>from <input id="span-from" type="number" min="0" step="0.01"> s</label>
        <label>to <input id="span-to" type="number" min="0" step="0.01"> s</label>
        <button id="span-all">All of the time</button> <output id="span"></output></p>
        <div id="scope-box"><canvas id="scope-canvas" role="img"></canvas></div>
        <p id="scope-legend"></p>
        </section>
        """

    static let style = """
        #scope-view{display:none;flex:none;padding:0 10px}.ready #scope-view{display:block}#scope-box{overflow-x:auto}
        #scope-canvas{display:block;height:160px;cursor:crosshair;touch-action:none}#scope-view input{width:6em}
        #scope-legend span{display:inline-block;width:12px;height:12px;margin:0 4px 0 12px;vertical-align:-1px}
        """

    /// `window.flameScope` says what is selected.
    static let script = #"""
        (function () {
            const $ = (id) => document.getElementById(id), scope = JSON.parse($("scope").textContent);
            const { rows, columns, row, count, cores, brightest } = scope, all = page.tree, lost = new Set(scope.lost);
            const time = new Float64Array(count), node = new Uint32Array(count), weight = new Float64Array(count);
            {
                const raw = atob($("moments").textContent);
                let at = 0, now = 0;
                function number() {
                    let value = 0, unit = 1, byte;
                    do {
                        byte = raw.charCodeAt(at++);
                        value += (byte & 127) * unit;
                        unit *= 128;
                    } while (byte & 128);
                    return value;
                }
                for (let i = 0; i < count; i++) {
                    now += number();
                    time[i] = now;
                    node[i] = number();
                    weight[i] = number();
                }
            }
            const end = columns * 1e6, HEIGHT = 160, canvas = $("scope-canvas");
            const span = { from: 0, to: end };
            const cell = Math.max(2, Math.min(14, Math.floor((document.body.clientWidth - 20) / Math.max(1, columns))));

            /** From pale to dark on light ground, from dark to bright on dark ground. */
            function colour(value, isDark) {
                const part = Math.min(1, value / Math.max(1, brightest));
                const light = isDark ? 20 + 65 * part : 92 - 75 * part;
                return "hsl(" + Math.round(isDark ? 50 * part : 45 - 45 * part) + ",90%," + Math.round(light) + "%)";
            }

            function isDark() {
                const list = document.documentElement.classList;
                return list.contains("dark") || !list.contains("light")
                    && matchMedia("(prefers-color-scheme: dark)").matches;
            }

            function hatch(context, dark) {
                const tile = document.createElement("canvas");
                tile.width = tile.height = 6;
                const lines = tile.getContext("2d");
                lines.strokeStyle = dark ? "#666" : "#aaa";
                lines.beginPath();
                lines.moveTo(0, 6); lines.lineTo(6, 0);
                lines.stroke();
                return context.createPattern(tile, "repeat");
            }

            function draw() {
                const ratio = window.devicePixelRatio || 1, width = columns * cell, height = HEIGHT / rows, dark = isDark();
                canvas.width = Math.round(width * ratio);
                canvas.height = Math.round(HEIGHT * ratio);
                canvas.style.width = width + "px";
                const context = canvas.getContext("2d");
                context.setTransform(ratio, 0, 0, ratio, 0, 0);
                const lines = hatch(context, dark);
                for (let i = 0; i < cores.length; i++) {
                    const x = Math.floor(i / rows) * cell, y = i % rows * height, at = i * row;
                    context.globalAlpha = at + row > span.from && at < span.to ? 1 : 0.25;
                    context.fillStyle = cores[i] < 0 ? lines
                        : cores[i] === 0 ? dark ? "#2a2a30" : "#f0f0ea" : colour(cores[i], dark);
                    context.fillRect(x, y, cell, height + 0.3);
                    if (lost.has(i)) {
                        context.fillStyle = "#06c";
                        context.fillRect(x, y, 2, height + 0.3);
                    }
                }
                context.globalAlpha = 1;
            }

            function said() {
                const parts = [[0, "idle"]];
                if (brightest > 0) {
                    for (const part of [0.25, 0.5, 0.75, 1]) {
                        parts.push([brightest * part, (brightest * part / 1000).toFixed(2) + (part === 1 ? " cores and more" : "")]);
                    }
                }
                const legend = $("scope-legend");
                legend.replaceChildren();
                for (const [value, word] of parts) {
                    const swatch = document.createElement("span");
                    swatch.style.background = value ? colour(value, isDark()) : isDark() ? "#2a2a30" : "#f0f0ea";
                    legend.append(swatch, word);
                }
                legend.append(
                    "; hatched: not measured; a cell is " + row / 1000 + " ms" + (lost.size ? "; blue edge: samples were lost" : ""));
                const known = cores.filter((value) => value >= 0);
                canvas.setAttribute("aria-label", "CPU time by second and by offset within it: "
                    + columns + " seconds, " + (cores.length - known.length) + " of " + cores.length
                    + " cells not measured, most " + (known.reduce((a, b) => Math.max(a, b), 0) / 1000).toFixed(2) + " cores");
            }

            /** Adds up what was sampled within a span, in microseconds since the start, and draws its graph. */
            function select(from, to) {
                span.from = Math.max(0, Math.min(from, to));
                span.to = Math.min(end, Math.max(from, to));
                const isAll = span.from === 0 && span.to === end;
                let tree = all, samples = count;
                if (!isAll) {
                    samples = 0;
                    tree = new Tree(all.count);
                    tree.frame = all.frame; tree.parent = all.parent; tree.depth = all.depth; tree.line = all.line;
                    for (let i = 0; i < count; i++) {
                        if (time[i] < span.from || time[i] >= span.to) continue;
                        tree.total[node[i]] += weight[i];
                        samples++;
                    }
                    for (let i = tree.count - 1; i > 0; i--) tree.total[tree.parent[i]] += tree.total[i];
                    tree.finish();
                }
                $("span-from").value = (span.from / 1e6).toFixed(3);
                $("span-to").value = (span.to / 1e6).toFixed(3);
                $("span").textContent = (isAll ? "all of the time" : (span.from / 1e6).toFixed(2) + " s to "
                    + (span.to / 1e6).toFixed(2) + " s") + ": " + samples.toLocaleString("en-US") + " samples";
                draw();
                page.use(tree);
            }

            /** The start of the cell under the pointer. */
            function at(event) {
                const bounds = canvas.getBoundingClientRect();
                const column = Math.floor((event.clientX - bounds.left) / cell);
                const place = Math.floor((event.clientY - bounds.top) / HEIGHT * rows);
                const within = (value, most) => Math.max(0, Math.min(most - 1, value));
                return (within(column, columns) * rows + within(place, rows)) * row;
            }
            let anchor = -1;
            function drag(event, isOver) {
                const other = at(event), from = Math.min(anchor, other), to = Math.max(anchor, other) + row;
                if (isOver) { anchor = -1; select(from, to); } else { span.from = from; span.to = to; draw(); }
            }
            canvas.addEventListener("pointerdown", (event) => {
                anchor = at(event);
                if (canvas.setPointerCapture && event.isTrusted) canvas.setPointerCapture(event.pointerId);
                drag(event, false);
            });
            canvas.addEventListener("pointermove", (event) => {
                const start = at(event), value = cores[start / row];
                canvas.title = (start / 1e6).toFixed(2) + " s: "
                    + (value < 0 ? "not measured" : (value / 1000).toFixed(2) + " cores");
                if (anchor >= 0) drag(event, false);
            });
            canvas.addEventListener("pointerup", (event) => { if (anchor >= 0) drag(event, true); });
            canvas.addEventListener("pointercancel", () => { anchor = -1; select(0, end); });
            $("span-from").onchange = $("span-to").onchange = () => {
                const from = Number($("span-from").value) * 1e6, to = Number($("span-to").value) * 1e6;
                if (Number.isFinite(from) && Number.isFinite(to) && from < to) select(from, to);
                else $("span").textContent = "a span ends after it begins";
            };
            $("span-all").onclick = () => select(0, end);
            new MutationObserver(() => { draw(); said(); }).observe(document.documentElement, { attributeFilter: ["class"] });
            window.flameScope = { span, select, cell };
            said();
            select(0, end);
        })();
        """#
}
