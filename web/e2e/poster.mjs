// A picture that a concert might have, drawn here: nothing of anybody else's.

const SIZE = { width: 1600, height: 900 };

/** A pine, by its foot and its height. */
const pine = (x, y, height) => {
  const half = height * 0.24;
  const tiers = [0, 0.24, 0.46].map((from, at) => {
    const [top, low, wide] = [
      y - height * (1 - from),
      y - height * (0.46 - at * 0.23),
      half * (0.55 + at * 0.24),
    ];
    return `M${x} ${top} L${x + wide} ${low} L${x - wide} ${low} Z`;
  });
  return `<path d="${tiers.join(" ")}"/>`;
};

const star = (at) => {
  const [x, y] = [(at * 397) % SIZE.width, (at * 211) % 430];
  return `<circle cx="${x}" cy="${y}" r="${1 + (at % 3) * 0.6}" opacity="${0.35 + (at % 5) * 0.13}"/>`;
};

const head = (at) => {
  const [x, size] = [at * 34 - 10 + ((at * 7) % 13), 20 + ((at * 11) % 9)];
  const y = 852 + ((at * 5) % 17);
  return `<circle cx="${x}" cy="${y}" r="${size * 0.62}"/><rect x="${x - size}" y="${y + size * 0.4}" width="${size * 2}" height="90" rx="${size}"/>`;
};

const beam = (x, to, colour) =>
  `<path d="M${x} 500 L${to - 130} 0 L${to + 130} 0 Z" fill="${colour}" opacity=".2"/>`;

const many = (number, draw) => Array.from({ length: number }, (_, at) => draw(at)).join("");

const POSTER = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1600 900" width="1600" height="900">
<defs>
<linearGradient id="sky" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="#0e1334"/><stop offset=".55" stop-color="#4a2a63"/><stop offset=".8" stop-color="#c2567a"/><stop offset="1" stop-color="#f6b07a"/></linearGradient>
<radialGradient id="glow"><stop offset="0" stop-color="#fff3d0" stop-opacity=".75"/><stop offset="1" stop-color="#fff3d0" stop-opacity="0"/></radialGradient>
<radialGradient id="stage"><stop offset="0" stop-color="#ffe2a8"/><stop offset="1" stop-color="#f08a5b" stop-opacity="0"/></radialGradient>
</defs>
<rect width="1600" height="900" fill="url(#sky)"/>
<g fill="#fff">${many(90, star)}</g>
<circle cx="1150" cy="230" r="260" fill="url(#glow)"/><circle cx="1150" cy="230" r="112" fill="#fff4d8"/>
<g fill="#e9d9b4" opacity=".6"><circle cx="1112" cy="205" r="22"/><circle cx="1176" cy="262" r="30"/><circle cx="1185" cy="180" r="14"/></g>
${beam(620, 260, "#9fd0ff")}${beam(720, 560, "#ffd3a0")}${beam(880, 900, "#ff9fc4")}${beam(980, 1330, "#9fd0ff")}
<path d="M0 640 Q300 560 560 620 T1100 600 T1600 630 V900 H0 Z" fill="#271a3f"/>
<g fill="#1b1230">${many(9, (at) => pine(40 + at * 58, 735 - ((at * 29) % 40), 250 + ((at * 67) % 120)))}${many(9, (at) => pine(1085 + at * 62, 735 - ((at * 31) % 40), 250 + ((at * 71) % 120)))}</g>
<ellipse cx="800" cy="690" rx="420" ry="190" fill="url(#stage)"/>
<path d="M520 720 V560 Q800 390 1080 560 V720 H1045 V580 Q800 430 555 580 V720 Z" fill="#120b22"/>
<rect x="500" y="716" width="600" height="34" rx="6" fill="#120b22"/>
<g fill="#2a1226">${[640, 720, 800, 880, 960].map((x) => `<circle cx="${x}" cy="640" r="15"/><path d="M${x - 22} 716 Q${x} 640 ${x + 22} 716 Z"/>`).join("")}</g>
<path d="M0 760 Q800 720 1600 760 V900 H0 Z" fill="#170e29"/>
<g fill="#0b0717">${many(50, head)}</g>
</svg>`;

/** As a JPEG. */
export async function poster(browser) {
  const page = await browser.newPage({ viewport: SIZE });
  await page.setContent(`<style>body { margin: 0 }</style>${POSTER}`);
  const picture = await page.screenshot({ type: "jpeg", quality: 88 });
  await page.close();
  return picture;
}
