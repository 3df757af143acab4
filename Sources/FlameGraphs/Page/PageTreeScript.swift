extension FlameGraphPage {
    /// Trees of the page: the file's own, and those merged for one function.
    static let treeScript = #"""
        "use strict";
        const facts = JSON.parse(document.getElementById("facts").textContent);
        const names = facts.names, frameCount = names.length;

        /** Nodes in columns, callers before callees; 0 is the root. Weights are exact up to 2^53. */
        class Tree {
            constructor(count) {
                this.count = count;
                this.frame = new Uint32Array(count);
                this.parent = new Uint32Array(count);
                this.depth = new Uint16Array(count);
                this.line = new Uint32Array(count);
                this.total = new Float64Array(count);
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
                tree.total[i] = number();
                tree.line[i] = number();
                const depth = i === 0 ? 0 : tree.depth[i - 1] + 1 - up;
                tree.depth[i] = depth;
                tree.parent[i] = i === 0 ? 0 : path[depth - 1];
                path[depth] = i;
            }
            return tree.finish();
        }

        /** Stacks of one function, added up. */
        class Merger {
            constructor(frame) {
                this.frame = [frame]; this.parent = [0]; this.total = [0]; this.line = [0];
                this.known = new Map();
            }

            child(parent, frame, weight, line) {
                const key = parent * frameCount + frame;
                let node = this.known.get(key);
                if (node === undefined) {
                    node = this.frame.length;
                    this.known.set(key, node);
                    this.frame.push(frame); this.parent.push(parent); this.total.push(0); this.line.push(line);
                }
                this.total[node] += weight;
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
                    // The last one pushed is the first one taken.
                    const below = children[node] || [];
                    below.sort((a, b) => names[this.frame[a]] < names[this.frame[b]] ? 1 : -1);
                    for (const child of below) pending.push([child, i, depth + 1]);
                }
                return tree.finish();
            }
        }

        /** What calls a function and what it calls, wherever it stands; within its own callees it is a callee. */
        function sandwich(tree, frame) {
            const callers = new Merger(frame), callees = new Merger(frame);
            const merged = new Uint32Array(tree.count);
            let i = 1;
            while (i < tree.count) {
                if (tree.frame[i] !== frame) { i++; continue; }
                const weight = tree.total[i];
                callers.total[0] += weight;
                callees.total[0] += weight;
                merged[i] = 0;
                for (let j = i + 1; j < tree.end[i]; j++) {
                    merged[j] = callees.child(merged[tree.parent[j]], tree.frame[j], tree.total[j], tree.line[j]);
                }
                let node = 0;
                for (let a = tree.parent[i]; a !== 0; a = tree.parent[a]) {
                    node = callers.child(node, tree.frame[a], weight, tree.line[a]);
                }
                i = tree.end[i];
            }
            return { callers: callers.tree(), callees: callees.tree() };
        }

        /** By frame: own and total weight, recursion counted once. */
        function functionTotals(tree) {
            const own = new Float64Array(frameCount), total = new Float64Array(frameCount);
            const onPath = new Uint32Array(frameCount), path = [];
            for (let i = 0; i < tree.count; i++) {
                while (path.length > tree.depth[i]) onPath[path.pop()]--;
                const frame = tree.frame[i];
                own[frame] += tree.self[i];
                if (onPath[frame] === 0) total[frame] += tree.total[i];
                onPath[frame]++;
                path.push(frame);
            }
            return { own, total };
        }
        """#
}
