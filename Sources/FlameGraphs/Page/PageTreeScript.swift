extension FlameGraphPage {
    /// Trees of the page: the file's own, and those merged for one function.
    static let treeScript = #"""
        "use strict";
        const facts = JSON.parse(document.getElementById("facts").textContent);
        const names = facts.names, frameCount = names.length;
        /** Of two sides, the one whose widths are shown; "" where there is one side alone. */
        let shownSide = facts.widths || "";
        const isDifference = shownSide !== "", NOT_JUDGED = 4;
        /** All of either side. */
        const whole = { base: 1, against: 1 };

        /** Nodes in columns, callers before callees; 0 is the root. Weights are exact up to 2^53. */
        class Tree {
            constructor(count) {
                this.count = count;
                this.frame = new Uint32Array(count);
                this.parent = new Uint32Array(count);
                this.depth = new Uint16Array(count);
                this.line = new Uint32Array(count);
                this.total = new Float64Array(count);
                if (!isDifference) return;
                this.base = new Float64Array(count);
                this.against = new Float64Array(count);
                this.movement = new Uint8Array(count).fill(NOT_JUDGED);
            }

            /** What is drawn of two sides: the weights of the shown one, and where it has nothing those of the other one, as
             *  if that had as much in all. */
            weigh() {
                if (!isDifference) return this;
                const { count, parent, total, base, against } = this, isBase = shownSide === "base";
                const shown = isBase ? base : against, other = isBase ? against : base;
                const scale = isBase ? whole.base / whole.against : whole.against / whole.base;
                total.fill(0);
                for (let i = count - 1; i >= 0; i--) {
                    total[i] += shown[i] > 0 ? shown[i] : other[i] * scale;
                    if (i === 0) break;
                    const p = parent[i];
                    total[p] += total[i] - (shown[p] > 0 ? shown[i] : other[i] * scale);
                }
                return this;
            }

            /** Works out each node's own weight, its place and where its callees end. */
            finish() {
                const { count, parent, total } = this;
                this.end = new Uint32Array(count);
                this.self = Float64Array.from(total);
                this.start = new Float64Array(count);
                for (let i = count - 1; i > 0; i--) {
                    if (this.end[i] === 0) this.end[i] = i + 1;
                    const p = parent[i];
                    if (this.end[p] < this.end[i]) this.end[p] = this.end[i];
                    this.self[p] -= total[i];
                }
                if (this.end[0] === 0) this.end[0] = count;
                // A node's own weight stands at its left.
                const next = new Float64Array(count);
                next[0] = this.self[0];
                for (let i = 1; i < count; i++) {
                    this.start[i] = next[parent[i]];
                    next[parent[i]] += total[i];
                    next[i] = this.start[i] + this.self[i];
                }
                return this;
            }
        }

        function readTree() {
            const raw = atob(document.getElementById("nodes").textContent);
            let at = 0;
            function number() {
                let value = 0, unit = 1, byte;
                do {
                    byte = raw.charCodeAt(at++);
                    value += (byte & 127) * unit;
                    unit *= 128;
                } while (byte & 128);
                return value;
            }
            const tree = new Tree(facts.nodeCount), path = [];
            for (let i = 0; i < tree.count; i++) {
                tree.frame[i] = number();
                const up = number();
                if (isDifference) {
                    tree.base[i] = number();
                    tree.against[i] = number();
                    tree.movement[i] = number();
                } else {
                    tree.total[i] = number();
                }
                tree.line[i] = number();
                const depth = i === 0 ? 0 : tree.depth[i - 1] + 1 - up;
                tree.depth[i] = depth;
                tree.parent[i] = i === 0 ? 0 : path[depth - 1];
                path[depth] = i;
            }
            if (isDifference) for (const side in whole) whole[side] = Math.max(1, tree[side][0]);
            return tree.weigh().finish();
        }

        /** Stacks of one function, added up. */
        class Merger {
            constructor(frame) {
                this.frame = []; this.parent = []; this.line = []; this.total = []; this.base = []; this.against = [];
                this.movement = [];
                this.known = new Map();
                this.node(0, frame, 0);
            }

            node(parent, frame, line) {
                this.frame.push(frame); this.parent.push(parent); this.line.push(line);
                this.total.push(0); this.base.push(0); this.against.push(0); this.movement.push(-1);
                return this.frame.length - 1;
            }

            /** Adds the weights of a tree's node `of`; the verdict on it holds while it is the only one. */
            add(node, tree, of) {
                this.total[node] += tree.total[of];
                if (!isDifference) return;
                this.base[node] += tree.base[of];
                this.against[node] += tree.against[of];
                this.movement[node] = this.movement[node] < 0 ? tree.movement[of] : NOT_JUDGED;
            }

            child(parent, frame, tree, of, line) {
                const key = parent * frameCount + frame;
                let node = this.known.get(key);
                if (node === undefined) {
                    node = this.node(parent, frame, line);
                    this.known.set(key, node);
                }
                this.add(node, tree, of);
                return node;
            }

            tree() {
                const count = this.frame.length, children = Array.from({ length: count }, () => null);
                for (let i = 1; i < count; i++) (children[this.parent[i]] ||= []).push(i);
                const tree = new Tree(count), pending = [[0, 0, 0]];
                let next = 0;
                while (pending.length) {
                    const [node, parent, depth] = pending.pop(), i = next++;
                    tree.frame[i] = this.frame[node];
                    tree.parent[i] = parent;
                    tree.depth[i] = depth;
                    tree.line[i] = this.line[node];
                    tree.total[i] = this.total[node];
                    if (isDifference) {
                        tree.base[i] = this.base[node];
                        tree.against[i] = this.against[node];
                        tree.movement[i] = this.movement[node];
                    }
                    // The last one pushed is the first one taken.
                    const below = children[node] || [];
                    below.sort((a, b) => names[this.frame[a]] < names[this.frame[b]] ? 1 : -1);
                    for (const child of below) pending.push([child, i, depth + 1]);
                }
                return tree.weigh().finish();
            }
        }

        /** By frame, the first one of the same function: inlined copies are of one name, module and file. */
        const functionOf = new Uint32Array(frameCount);
        {
            const first = new Map();
            for (let f = 0; f < frameCount; f++) {
                // Processes, threads and markers are no functions, whatever their names.
                const key = [facts.kinds[f] === "-", facts.moduleOf[f], facts.fileOf[f], names[f]].join("\0");
                if (!first.has(key)) first.set(key, f);
                functionOf[f] = first.get(key);
            }
        }

        /** What calls a function and what it calls, wherever it stands; within its own callees it is a callee. */
        function sandwich(tree, frame) {
            const callers = new Merger(frame), callees = new Merger(frame);
            const merged = new Uint32Array(tree.count);
            let i = 1;
            while (i < tree.count) {
                if (functionOf[tree.frame[i]] !== functionOf[frame]) { i++; continue; }
                callers.add(0, tree, i);
                callees.add(0, tree, i);
                merged[i] = 0;
                for (let j = i + 1; j < tree.end[i]; j++) {
                    merged[j] = callees.child(merged[tree.parent[j]], tree.frame[j], tree, j, tree.line[j]);
                }
                let node = 0;
                for (let a = tree.parent[i]; a !== 0; a = tree.parent[a]) {
                    node = callers.child(node, tree.frame[a], tree, i, tree.line[a]);
                }
                i = tree.end[i];
            }
            if (isDifference) callers.movement[0] = callees.movement[0] = facts.movements[frame];
            return { callers: callers.tree(), callees: callees.tree() };
        }

        /** By function: own and total weight, of two sides the total of each; recursion counted once. */
        function functionTotals(tree) {
            const sums = {};
            for (const key of isDifference ? ["base", "against"] : ["own", "total"]) sums[key] = new Float64Array(frameCount);
            const onPath = new Uint32Array(frameCount), path = [];
            for (let i = 0; i < tree.count; i++) {
                while (path.length > tree.depth[i]) onPath[path.pop()]--;
                const f = functionOf[tree.frame[i]];
                if (!isDifference) sums.own[f] += tree.self[i];
                if (onPath[f] === 0) {
                    for (const key in sums) if (key !== "own") sums[key][f] += tree[key][i];
                }
                onPath[f]++;
                path.push(f);
            }
            return sums;
        }
        """#
}
