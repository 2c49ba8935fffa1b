#include <actswap/report/page/style.h>

namespace actswap::page {

std::string_view style() {
  return R"(
:root {
  color-scheme: light dark;
  --ground: #ffffff; --raised: #f4f5f7; --ink: #1b1f24; --soft: #5a6470; --rule: #d4d9df;
  --s0: #1d5fd1; --s1: #c2500a; --s2: #7a3fc0; --s3: #11786b; --bars: #c3cad3;
  --good: #17753a; --bad: #b3261e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14171b; --raised: #1e2329; --ink: #e6e9ed; --soft: #9aa5b1; --rule: #363d46;
    --s0: #6ea8ff; --s1: #ff9a5c; --s2: #c39bff; --s3: #4fcfbd; --bars: #48515c;
    --good: #5fd38a; --bad: #ff8a80;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0 auto; max-width: 80rem; padding: 1rem 1rem 3rem; background: var(--ground);
  color: var(--ink); font: 1rem/1.5 system-ui, "DejaVu Sans", sans-serif; overflow-wrap: anywhere;
}
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0.5rem 0; }
h2 { font-size: 1.2rem; margin: 2.25rem 0 0.25rem; border-top: 1px solid var(--rule); padding-top: 1rem; }
h3 { font-size: 1rem; margin: 1rem 0 0.25rem; }
p, dl { max-width: 46rem; }
.about, figcaption, dt, nav { color: var(--soft); }
.about { margin-top: 0; }
.verdict { font-size: 1.15rem; border-left: 4px solid var(--s0); padding-left: 0.75rem; }
.warning { border-left: 4px solid var(--bad); padding-left: 0.75rem; }
.good { color: var(--good); } .bad { color: var(--bad); }
nav a { color: inherit; margin-right: 0.9rem; display: inline-block; }
.runs { display: grid; gap: 0 2rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); }
.runs > article { min-width: 0; }
.figures { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 19rem), 1fr)); }
figure { margin: 0.5rem 0; max-width: 26rem; min-width: 0; break-inside: avoid; }
figcaption { font-size: 0.85rem; line-height: 1.35; }
figcaption b { color: var(--ink); font-weight: 600; }
svg { display: block; width: 100%; height: auto; }
svg text { font: 11px system-ui, "DejaVu Sans", sans-serif; fill: var(--soft); }
svg text.value { fill: var(--ink); }
svg .grid { stroke: var(--rule); stroke-width: 0.7; }
svg .axis { stroke: var(--soft); stroke-width: 1; }
svg .line { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
svg .thin { stroke-width: 1; stroke-dasharray: 4 3; }
svg .bar { fill: var(--bars); }
svg .run { stroke-width: 1.2; stroke-opacity: 0.45; }
svg .span { stroke-width: 7; stroke-opacity: 0.3; }
svg .middle { stroke-width: 3; }
svg line.s0, svg path.s0 { stroke: var(--s0); } svg circle.s0, svg rect.s0 { fill: var(--s0); }
svg line.s1, svg path.s1 { stroke: var(--s1); } svg circle.s1, svg rect.s1 { fill: var(--s1); }
svg line.s2, svg path.s2 { stroke: var(--s2); } svg circle.s2, svg rect.s2 { fill: var(--s2); }
svg line.s3, svg path.s3 { stroke: var(--s3); } svg circle.s3, svg rect.s3 { fill: var(--s3); }
.key::before { content: ""; display: inline-block; width: 0.9em; height: 0.25em; margin: 0 0.3em 0.2em 0.3em; background: currentColor; }
.key.s0::before { background: var(--s0); } .key.s1::before { background: var(--s1); }
.key.s2::before { background: var(--s2); } .key.s3::before { background: var(--s3); }
.scroll { overflow-x: auto; margin: 0.5rem 0; }
table { border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums; overflow-wrap: normal; }
th, td { text-align: left; padding: 0.2rem 0.9rem 0.2rem 0; border-bottom: 1px solid var(--rule); vertical-align: top; }
tbody th { font-weight: 400; } td { white-space: nowrap; } .wraps td { white-space: normal; min-width: 9rem; max-width: 24rem; }
.wraps-last td:last-child { white-space: normal; min-width: 9rem; }
thead th { color: var(--soft); font-weight: 400; white-space: nowrap; }
code, pre { font: 0.85rem/1.45 ui-monospace, "DejaVu Sans Mono", monospace; }
pre { background: var(--raised); padding: 0.75rem; overflow-x: auto; max-width: 100%; }
dl { display: grid; grid-template-columns: minmax(7rem, 13rem) 1fr; gap: 0.25rem 1rem; }
dd { margin: 0; min-width: 0; }
@media (max-width: 32rem) { dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: 0.5rem; } }
@media print {
  :root { color-scheme: light; --ground: #fff; --raised: #f4f5f7; --ink: #000; --soft: #444; --rule: #bbb;
    --s0: #1d5fd1; --s1: #c2500a; --s2: #7a3fc0; --s3: #11786b; --bars: #c3cad3; --good: #17753a; --bad: #b3261e; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  nav { display: none; } h2, h3 { break-after: avoid; } .scroll { overflow: visible; }
  pre { white-space: pre-wrap; } tr { break-inside: avoid; }
}
)";
}

}  // namespace actswap::page
