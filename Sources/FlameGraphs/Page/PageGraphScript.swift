extension FlameGraphPage {
    /// One drawn graph: a canvas in a box that scrolls.
    static let graphScript = #"""
        const ROW = 18, SMALLEST = 0.5, FOUND = "rgb(230,0,230)";
        const HUES = { n: [5, 52, 66], i: [170, 40, 64], j: [85, 50, 62], p: [275, 45, 78], k: [215, 70, 78], "-": [0, 0, 83] };

        function hash(text) {
            let h = 2166136261;
            for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 16777619);
            return (h ^ h >>> 15) >>> 0;
        }

        const colours = { kind: new Array(frameCount), module: new Array(frameCount) };
        function colour(frame, mode) {
            const known = colours[mode][frame];
            if (known) return known;
            const shade = hash(names[frame]), kind = facts.kinds[frame];
            let [hue, saturation, light] = HUES[kind];
            if (mode === "module" && kind !== "-") {
                hue = hash(facts.modules[facts.moduleOf[frame]]) % 360;
                [saturation, light] = [55, 68];
            } else if (kind === "n") {
                hue += shade % 48;
                saturation = 85;
            }
            light += (shade >>> 8) % 13 - 6;
            return colours[mode][frame] = "hsl(" + hue + "," + saturation + "%," + light + "%)";
        }

        const MOVED = [
            { word: "grew", colour: (pale) => "rgb(255," + pale + "," + pale + ")" },
            { word: "shrank", colour: (pale) => "rgb(" + pale + "," + pale + ",255)" },
            { word: "share only: its own cores did not change" }, { word: "within noise" }, { word: "not judged" }
        ];

        /** Red and blue where a change is proved, the stronger, the larger the part of the frame that came or went. */
        function differenceColour(tree, node) {
            const moved = MOVED[tree.movement[node]].colour;
            if (!moved) return "rgb(215,215,215)";
            const before = tree.base[node] / whole.base, after = tree.against[node] / whole.against;
            const part = Math.abs(after - before) / Math.max(before, after, 1e-12);
            return moved(Math.round(200 - 190 * Math.sqrt(Math.min(1, part))));
        }

        const FONT = '12px Verdana,"DejaVu Sans",sans-serif';
        const widths = new Float32Array(frameCount);

        /** `up`: the root at the bottom. `found`: by frame, 1 where the search matches; null without a search. */
        class Graph {
            constructor(place, label, up, page) {
                this.page = page;
                this.up = up;
                this.box = document.createElement("div");
                this.box.className = "graph";
                this.canvas = document.createElement("canvas");
                this.canvas.tabIndex = 0;
                this.canvas.setAttribute("role", "application");
                this.canvas.setAttribute("aria-label", label);
                this.canvas.setAttribute("aria-describedby", "details");
                this.space = document.createElement("div");
                this.box.append(this.canvas, this.space);
                place.append(this.box);
                this.drawn = { node: [], x: [], w: [] };
                this.box.addEventListener("scroll", () => this.draw(true));
                this.canvas.addEventListener("mousemove", (e) => this.page.tell(this, this.at(e)));
                this.canvas.addEventListener("mouseleave", () => this.page.tell(this, this.selected));
                this.canvas.addEventListener("click", (e) => {
                    const node = this.at(e);
                    if (node >= 0) this.zoom(node);
                });
                this.canvas.addEventListener("dblclick", (e) => {
                    const node = this.at(e);
                    if (node > 0) this.page.showSandwich(this.tree.frame[node]);
                });
                this.canvas.addEventListener("keydown", (e) => this.key(e));
            }

            show(tree, focus) {
                this.tree = tree;
                this.focus = this.selected = focus < tree.count ? focus : 0;
                this.isPlaced = this.box.clientHeight > 0;
                this.draw(false);
                this.box.scrollTop = this.up ? this.space.offsetHeight : 0;
                this.draw(true);
            }

            zoom(node) {
                const y = this.top(this.tree.depth[node]);
                this.focus = this.selected = node;
                this.draw(false);
                // What was clicked stays where it was.
                this.box.scrollTop += this.top(this.tree.depth[node]) - y;
                this.draw(true);
                this.page.tell(this, node);
                this.page.remember();
            }

            /** Lists what is wide enough to be seen. */
            list(width) {
                const { tree, focus, drawn } = this;
                drawn.node = []; drawn.x = []; drawn.w = [];
                for (let a = focus; a !== 0;) {
                    a = tree.parent[a];
                    drawn.node.push(a); drawn.x.push(0); drawn.w.push(width);
                }
                const whole = tree.total[focus], scale = whole > 0 ? width / whole : 0, left = tree.start[focus];
                let deepest = tree.depth[focus], i = focus;
                while (i < tree.end[focus]) {
                    const w = i === focus ? width : tree.total[i] * scale;
                    if (w < SMALLEST) { i = tree.end[i]; continue; }
                    drawn.node.push(i); drawn.x.push((tree.start[i] - left) * scale); drawn.w.push(w);
                    if (tree.depth[i] > deepest) deepest = tree.depth[i];
                    i++;
                }
                this.levels = deepest + 1;
            }

            top(depth) { return (this.up ? this.rows - 1 - depth : depth) * ROW - this.box.scrollTop; }

            draw(isScroll) {
                if (!this.tree || this.box.clientHeight === 0) return;
                const width = this.box.clientWidth, height = this.box.clientHeight, ratio = window.devicePixelRatio || 1;
                if (!isScroll) {
                    this.list(width);
                    // A graph that does not fill its box stands on its root's side.
                    this.rows = Math.max(this.levels, this.up ? Math.floor(height / ROW) : 0);
                    this.space.style.height = Math.max(0, this.rows * ROW - height) + "px";
                }
                const { canvas, tree, drawn, focus } = this;
                if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
                    canvas.width = Math.round(width * ratio);
                    canvas.height = Math.round(height * ratio);
                    canvas.style.height = height + "px";
                }
                const context = canvas.getContext("2d");
                context.setTransform(ratio, 0, 0, ratio, 0, 0);
                context.clearRect(0, 0, width, height);
                context.font = FONT;
                context.textBaseline = "middle";
                const found = this.page.found, mode = this.page.colour;
                for (let n = 0; n < drawn.node.length; n++) {
                    const node = drawn.node[n], y = this.top(tree.depth[node]);
                    if (y <= -ROW || y >= height) continue;
                    const x = drawn.x[n], w = drawn.w[n], frame = tree.frame[node];
                    context.globalAlpha = tree.depth[node] < tree.depth[focus] ? 0.5 : 1;
                    const own = mode === "difference" ? differenceColour(tree, node) : colour(frame, mode);
                    const isElided = isDifference && !(tree[shownSide][node] > 0);
                    context.fillStyle = found && found[frame] ? FOUND : isElided ? "#fff" : own;
                    context.fillRect(x, y, w > 3 ? w - 0.7 : w, ROW - 1);
                    if (isElided && w > 3) {
                        context.strokeStyle = own;
                        context.setLineDash([3, 2]);
                        context.strokeRect(x + 0.5, y + 0.5, w - 1.7, ROW - 2);
                        context.setLineDash([]);
                    }
                    if (node === this.selected && document.activeElement === canvas) {
                        context.strokeStyle = "#000";
                        context.strokeRect(x + 0.5, y + 0.5, Math.max(0, w - 1.7), ROW - 2);
                    }
                    if (w < 28) continue;
                    context.globalAlpha = 1;
                    context.fillStyle = found && found[frame] ? "#fff" : "#000";
                    const text = this.fitting(context, frame, w - 8);
                    if (text) context.fillText(text, x + 4, y + ROW / 2);
                }
                context.globalAlpha = 1;
            }

            fitting(context, frame, room) {
                const name = names[frame];
                if (name.length > 2000) return name.slice(0, Math.floor(room / 7)) + "..";
                const width = widths[frame] ||= context.measureText(name).width;
                if (width <= room) return name;
                const letters = Array.from(name), count = Math.floor(letters.length * room / width) - 2;
                return count >= 1 ? letters.slice(0, count).join("") + ".." : "";
            }

            /** The node under the mouse; -1 where there is none. */
            at(event) {
                const bounds = this.canvas.getBoundingClientRect();
                const x = event.clientX - bounds.left, y = event.clientY - bounds.top;
                const row = Math.floor((y + this.box.scrollTop) / ROW), depth = this.up ? this.rows - 1 - row : row;
                const { node, x: left, w } = this.drawn;
                for (let n = 0; n < node.length; n++) {
                    if (this.tree.depth[node[n]] === depth && left[n] <= x && x < left[n] + w[n]) return node[n];
                }
                return -1;
            }

            /** Arrows go to callers, callees and neighbours; Enter zooms. */
            key(event) {
                const { tree, selected } = this, callees = this.up ? "ArrowUp" : "ArrowDown";
                let next = -1;
                if (event.key === "Enter") { this.zoom(selected); event.preventDefault(); return; }
                if (event.key === callees) {
                    for (let i = selected + 1; i < tree.end[selected]; i = tree.end[i]) {
                        if (next < 0 || tree.total[i] > tree.total[next]) next = i;
                    }
                } else if (event.key === "ArrowUp" || event.key === "ArrowDown") {
                    next = tree.parent[selected];
                } else if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
                    const parent = tree.parent[selected];
                    let before = -1;
                    for (let i = parent + 1; selected && i < tree.end[parent]; i = tree.end[i]) {
                        if (event.key === "ArrowRight" && before === selected) { next = i; break; }
                        if (event.key === "ArrowLeft" && i === selected) { next = before; break; }
                        before = i;
                    }
                } else {
                    return;
                }
                event.preventDefault();
                if (next < 0) return;
                this.selected = next;
                const isWithin = next >= this.focus && next < tree.end[this.focus];
                if (!isWithin) this.focus = next;
                const y = this.top(tree.depth[next]);
                if (y < 0) this.box.scrollTop += y;
                if (y + ROW > this.box.clientHeight) this.box.scrollTop += y + ROW - this.box.clientHeight;
                this.draw(isWithin);
                this.page.tell(this, next);
                if (!isWithin) this.page.remember();
            }
        }
        """#
}
