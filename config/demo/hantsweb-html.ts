import type { Asked } from './hantsweb-corners.ts';

export type Html = { text: string };

/** Markup in which every inserted value is escaped, unless it is markup itself. */
export function html(strings: TemplateStringsArray, ...values: (string | number | Html | readonly Html[])[]): Html {
  const inserted = values.map(value =>
    typeof value === 'object'
      ? [value]
          .flat()
          .map(part => part.text)
          .join('')
      : escaped(String(value)),
  );
  return { text: String.raw({ raw: strings }, ...inserted) };
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`);
}

/** Who the gateway says is there, as name and value; header values beyond ASCII arrive percent-encoded. */
function identityOf(asked: Asked): { name: string; value: string }[] {
  const names = ['Remote-Name', 'Remote-User', 'Remote-Email', 'Remote-Groups', 'Portal-Organisation', 'Portal-Service'];
  return names.flatMap(name => {
    const value = asked.headers[name.toLowerCase()];
    return typeof value === 'string' && value !== '' ? [{ name, value: decoded(value) }] : [];
  });
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

function signedIn(asked: Asked): Html {
  const identity = identityOf(asked);
  const who = identity.find(({ name }) => name === 'Remote-Name') ?? identity[0];
  if (!who) return html`<p id="signed-in">Signed in as <b>nobody</b></p>`;
  const rows = identity.map(({ name, value }) => html`<tr><th scope="row">${name}</th><td>${value}</td></tr>`);
  return html`<p id="signed-in">Signed in as <b><bdi>${who.value}</bdi></b></p>
<table class="who"><caption>What this server was told</caption>${rows}</table>`;
}

/** The frame of every old page: band, breadcrumb, menu on the left, small print. */
export function document(asked: Asked, content: { title: string; body: Html; crumbs: Html }): Html {
  return html`<!DOCTYPE html>
<html lang="en-GB">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${content.title} | Hantsweb</title>
<link rel="stylesheet" href="/css/hantsweb.css">
<link rel="icon" href="/images/bullet.gif">
</head>
<body>
<div id="band"><a href="${asked.home}"><img src="/images/band.svg" width="230" height="56" alt="Hantsweb"></a><span>Hampshire County Council</span></div>
<div id="crumbs">${content.crumbs}</div>
<div id="columns">
<div id="main">
<h1>${content.title}</h1>
${content.body}
</div>
<div id="side"><h2>Your visit</h2>
${signedIn(asked)}
<p>This page: <b id="address">${asked.hostname}${asked.port === '' ? '' : `:${asked.port}`}${asked.path}</b></p></div>
</div>
<div id="foot">Last updated: 14 November 2008. Best viewed at 1024 by 768. <a href="#band">Top of page</a></div>
</body>
</html>
`;
}
