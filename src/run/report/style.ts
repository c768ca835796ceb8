/** The looks of a report, light and dark. Charts name classes, never colours. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --page: #f6f4f0; --card: #fffefb; --ink: #1f1e1c; --muted: #6f6b64; --line: #e3dfd7; --grid: #ece8e0;
  --accent: #2456c7; --area: #2456c71f; --minus: #c2542b; --ideal: #9b958a;
  --w0: #2456c7; --w1: #c2542b; --w2: #2f8a63; --w3: #8a4fbf; --w4: #b58a15; --w5: #1d8aa6; --w6: #bf4478; --w7: #6b7280;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #121318; --card: #1a1c23; --ink: #eae8e3; --muted: #9d9a92; --line: #2c2f39; --grid: #252832;
    --accent: #86a9ff; --area: #86a9ff26; --minus: #ff9c70; --ideal: #6d7180;
    --w0: #6f97f5; --w1: #ee8a5e; --w2: #5cbf92; --w3: #b78ae6; --w4: #d9b04a; --w5: #55b9d3; --w6: #e67aa7; --w7: #9aa1ad;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
main { max-width: 1040px; margin: 0 auto; padding: 48px 24px 64px; }
header p { margin: 0; color: var(--muted); }
h1 { margin: 2px 0 6px; font-size: 34px; line-height: 1.2; font-weight: 650; letter-spacing: -0.02em; overflow-wrap: anywhere; }
h2 { margin: 44px 0 14px; font-size: 19px; font-weight: 650; letter-spacing: -0.01em; }
h3 { margin: 0 0 2px; font-size: 14px; font-weight: 600; }
.eyebrow { font-size: 12px; letter-spacing: 0.12em; text-transform: uppercase; }
.measures { display: grid; grid-template-columns: repeat(auto-fit, minmax(140px, 1fr)); gap: 12px; margin: 28px 0 0; padding: 0; }
.measures div { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 14px 16px; }
.measures dt { color: var(--muted); font-size: 12.5px; }
.measures dd { margin: 2px 0 0; font-size: 24px; font-weight: 600; letter-spacing: -0.02em; font-variant-numeric: tabular-nums; white-space: nowrap; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); gap: 16px; }
figure { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 16px 18px 14px; }
figure svg + table { margin-top: 12px; }
figcaption { color: var(--muted); font-size: 13px; margin-bottom: 10px; }
.wide { overflow-x: auto; }
.wide svg { min-width: 620px; }
svg { display: block; width: 100%; height: auto; font-size: 11.5px; }
svg text { fill: var(--ink); }
.tick { fill: var(--muted) !important; font-variant-numeric: tabular-nums; }
.axis { fill: var(--muted) !important; }
.grid { stroke: var(--grid); }
.zero { stroke: var(--line); }
.curve { fill: none; stroke: var(--accent); stroke-width: 2.2; stroke-linejoin: round; stroke-linecap: round; }
.area { fill: var(--area); }
.dot { fill: var(--card); stroke: var(--accent); stroke-width: 2.2; }
.chosen { fill: var(--accent); }
.ideal { stroke: var(--ideal); stroke-width: 1.4; stroke-dasharray: 5 4; }
.points { fill: var(--accent); fill-opacity: 0.42; }
.bars, .plus { fill: var(--accent); }
.minus { fill: var(--minus); }
.label, .value { font-size: 12.5px; }
.value { font-variant-numeric: tabular-nums; }
.cut { stroke: var(--card); stroke-width: 1; stroke-opacity: 0.55; }
.worker { fill: var(--card) !important; font-weight: 600; }
.w0 { fill: var(--w0); } .w1 { fill: var(--w1); } .w2 { fill: var(--w2); } .w3 { fill: var(--w3); }
.w4 { fill: var(--w4); } .w5 { fill: var(--w5); } .w6 { fill: var(--w6); } .w7 { fill: var(--w7); }
.t0 { fill: var(--w5); } .t1 { fill: var(--w4); } .t2 { fill: var(--w0); } .t3 { fill: var(--w7); }
table { width: 100%; border-collapse: collapse; font-size: 14px; }
td { padding: 6px 0; border-top: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere; }
tr:first-child td { border-top: 0; }
td:first-child { color: var(--muted); width: 42%; padding-right: 16px; overflow-wrap: normal; }
.figures { font-variant-numeric: tabular-nums; font-size: 13px; }
.figures td, .figures td:first-child { width: auto; padding: 2px 0 2px 14px; text-align: right; white-space: nowrap; }
.note p { margin: 4px 0; }
.note { background: var(--card); border: 1px solid var(--line); border-left: 4px solid var(--minus); border-radius: 8px; padding: 10px 16px; margin: 20px 0 0; }
@media print { body { background: none; } figure, .measures div { break-inside: avoid; } }
`;
