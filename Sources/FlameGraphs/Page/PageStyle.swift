extension FlameGraphPage {
    static let style = """
        :root{color-scheme:light dark;--back:#fdfdf6;--ink:#111;--soft:#555;--line:#ccc;--field:#fff}
        @media(prefers-color-scheme:dark){:root{--back:#16181d;--ink:#e8e8e8;--soft:#a8a8a8;--line:#444;--field:#22252b}}
        :root.light{color-scheme:light;--back:#fdfdf6;--ink:#111;--soft:#555;--line:#ccc;--field:#fff}
        :root.dark{color-scheme:dark;--back:#16181d;--ink:#e8e8e8;--soft:#a8a8a8;--line:#444;--field:#22252b}
        body{margin:0;height:100vh;display:flex;flex-direction:column;background:var(--back);color:var(--ink);
        font:13px/1.4 Verdana,"DejaVu Sans",sans-serif}
        header{padding:6px 10px 0}h1{font-size:17px;margin:0}p{margin:2px 0;color:var(--soft)}
        nav{display:none;flex-wrap:wrap;gap:6px;align-items:center;padding:6px 10px}.ready nav{display:flex}
        button,input,select{font:inherit;color:var(--ink);background:var(--field);border:1px solid var(--line);
        border-radius:3px;padding:2px 8px}button[aria-pressed=true]{border-color:var(--ink);font-weight:bold}
        #search{width:22em}main{flex:1;min-height:0;display:flex;flex-direction:column;overflow:auto;padding:0 10px}
        .graph{flex:1;min-height:0;overflow-y:auto;scrollbar-gutter:stable;position:relative}
        .graph canvas{display:block;position:sticky;top:0;width:100%}
        .graph canvas:focus{outline:1px solid var(--soft)}
        h2{font-size:13px;margin:4px 0;flex:none}footer{padding:4px 10px;min-height:1.5em;white-space:pre-wrap;
        overflow-wrap:anywhere;border-top:1px solid var(--line)}
        table{border-collapse:collapse}caption{text-align:left;color:var(--soft)}
        th,td{text-align:left;padding:1px 12px 1px 0;font-weight:normal;overflow-wrap:anywhere}
        td:has(~th){text-align:right;white-space:nowrap}thead th{border-bottom:1px solid var(--line)}
        tbody button{border:0;background:none;padding:0;text-align:left;cursor:pointer}
        [hidden]{display:none!important}#legend{padding:0 10px}
        tbody button:hover{text-decoration:underline}.mark{background:#e600e6;color:#fff}
        """

    static let controls = """
        <nav aria-label="Views and search">
        <button id="v-flame" aria-pressed="true">Flame graph</button>\
        <button id="v-sandwich">Sandwich</button><button id="v-table">Table</button>
        <button id="turn" title="i">Icicle</button>
        <button id="reset" title="Esc">Reset zoom</button>
        <label>Colour <select id="colour"><option value="kind">by kind</option>\
        <option value="module">by module</option>\
        <option value="difference">by difference</option></select></label>
        <label class="difference">Widths <select id="widths"><option value="against">against</option>\
        <option value="base">base</option></select></label>
        <input id="search" type="search" placeholder="Search: a regular expression (Ctrl-F)" aria-label="Search">
        <label><input id="ignorecase" type="checkbox">ignore case</label>
        <button id="theme">Dark</button>
        <output id="matched"></output>
        </nav>
        <p id="legend" class="difference" hidden><span style="color:rgb(255,80,80)">\u{25A0}</span> grew\u{2003}\
        <span style="color:rgb(80,80,255)">\u{25A0}</span> shrank\u{2003}\
        <span style="color:rgb(160,160,160)">\u{25A0}</span> nothing proved\u{2003}\u{25A1} broken outline: \
        <span id="elided"></span></p>
        """
}
