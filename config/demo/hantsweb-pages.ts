import type { Catalogue, Service } from '../catalogue.ts';
import { sameAddress } from '../catalogue-pages.ts';
import type { Asked, Corner, ServiceCorner } from './hantsweb-corners.ts';
import { type Html, html } from './hantsweb-html.ts';
import { newsOf, newsPictureOf } from './hantsweb-news.ts';

type Content = { title: string; body: Html; crumbs: Html };

function crumbs(asked: Asked, trail: Html): Html {
  return html`<a href="${asked.home}">Hantsweb</a> &gt; ${trail}`;
}

function serviceCrumbs(corner: ServiceCorner, asked: Asked, here: string): Html {
  return crumbs(asked, html`<a href="${asked.local(corner.service.start)}">${corner.service.shortName}</a> &gt; ${here}`);
}

/** The old addresses as they were printed, for this page or for the whole service. */
function printedAddresses(service: Service, asked: Asked): Html {
  const here = `${asked.site.origin}${asked.path}`;
  const all = service.legacyLogins.map(({ row, address, target }) => {
    const mark = sameAddress(address, here) || sameAddress(target, here) ? html` <b>(leads here)</b>` : html``;
    return html`<li>${row}: <code>${address}</code>${mark}</li>`;
  });
  return html`<h2>Old addresses</h2><ul class="printed">${all}</ul>`;
}

/** Links written in every way old pages write them: relative to this page, from the root, and in full. */
function menu(corner: ServiceCorner, asked: Asked): Html {
  const { base } = corner;
  const full = asked.local(`${asked.site.origin}${base}/contact.htm`);
  return html`<ul class="menu">
<li><a href="${relative(asked.path, `${base}/news.htm`)}">News</a></li>
<li><a href="${base}/old-news.htm">News (old address)</a></li>
<li><a href="${full}">Contact form</a></li>
<li><a href="${relative(asked.path, `${base}/contacts.csv`)}">Contacts to download (CSV)</a></li>
<li><a href="${base}/headers.json">What this server receives</a></li>
${otherPages(corner, asked)}</ul>`;
}

function otherPages(corner: ServiceCorner, asked: Asked): Html[] {
  const others = asked.site.pages.filter(page => page.target === null && page.path !== asked.path && page.path !== corner.page.path);
  const ofService = others.filter(page => page.service === corner.service.id);
  const excluded = others.filter(page => page.kind === 'open' && page.path.startsWith(`${corner.base}/`));
  return [...ofService, ...excluded].map(page => html`<li><a href="${relative(asked.path, page.path)}">${page.path}</a></li>`);
}

/** The shortest way from one path to another, as a person would have typed it. */
function relative(from: string, to: string): string {
  const [fromParts, toParts] = [from.split('/').slice(0, -1), to.split('/')];
  let common = 0;
  while (common < fromParts.length && common < toParts.length - 1 && fromParts[common] === toParts[common]) common++;
  return [...fromParts.slice(common).map(() => '..'), ...toParts.slice(common)].join('/') || './';
}

export function home(corner: ServiceCorner, asked: Asked, visits: number): Content {
  const { service } = corner;
  return {
    title: service.shortName,
    crumbs: crumbs(asked, html`${service.shortName}`),
    body: html`<p class="strap">${service.fullName}</p>
<img class="photo" src="/images/hills.png" width="240" height="96" alt="Hills near the county boundary">
<p>${service.description}</p>
<p>You have been here <b id="visits">${visits}</b> ${visits === 1 ? 'time' : 'times'}.</p>
${menu(corner, asked)}
${printedAddresses(service, asked)}`,
  };
}

export function news(corner: ServiceCorner, asked: Asked): Content {
  const items = newsOf(corner.service).map(({ date, text }) => html`<dt>${date}</dt><dd>${text}</dd>`);
  const picture = newsPictureOf(corner.service);
  return {
    title: `${corner.service.shortName}: news`,
    crumbs: serviceCrumbs(corner, asked, 'News'),
    body: html`<p class="strap">${corner.service.fullName}</p>
${picture ? html`<img class="photo" src="${asked.local(picture.address)}" width="240" height="96" alt="${picture.text}">` : html``}
<dl>${items}</dl>${menu(corner, asked)}`,
  };
}

export function contact(corner: ServiceCorner, asked: Asked): Content {
  return {
    title: `${corner.service.shortName}: contact form`,
    crumbs: serviceCrumbs(corner, asked, 'Contact form'),
    body: html`<p class="strap">${corner.service.fullName}</p>
<form method="post" action="contact.htm">
<p><label for="subject">Subject</label><br><input id="subject" name="subject" size="40"></p>
<p><label for="message">Message</label><br><textarea id="message" name="message" rows="5" cols="50"></textarea></p>
<p><input type="submit" value="Send message"></p>
</form>
<p>Or write to ${corner.service.contact.name}, <a href="mailto:${corner.service.contact.email}">${corner.service.contact.email}</a>.</p>`,
  };
}

export function received(corner: ServiceCorner, asked: Asked, form: URLSearchParams): Content {
  const rows = [...form].map(([name, value]) => html`<tr><th scope="row">${name}</th><td>${value}</td></tr>`);
  return {
    title: `${corner.service.shortName}: message received`,
    crumbs: serviceCrumbs(corner, asked, 'Contact form'),
    body: html`<p class="strap">${corner.service.fullName}</p><p>Thank you. We received this:</p><table class="received">${rows}</table>
<p><a href="contact.htm">Write another message</a></p>`,
  };
}

export function contactsCsv(corner: ServiceCorner): string {
  const { name, email, phone } = corner.service.contact;
  const quoted = [corner.service.shortName, name, email, phone ?? ''].map(text => `"${text.replaceAll('"', '""')}"`);
  return `Service,Name,Email,Phone\r\n${quoted.join(',')}\r\n`;
}

export function oldLogin(corner: Extract<Corner, { kind: 'login' }>, asked: Asked): Content {
  return {
    title: `${corner.service.shortName}: log in`,
    crumbs: crumbs(asked, html`Log in`),
    body: html`<p class="strap">${corner.service.fullName}</p>
<p>This area is for schools. Enter the user name and password your school was given.</p>
<form method="post" action="${asked.path}">
<p><label for="user">User name</label><br><input id="user" name="user" autocomplete="off"></p>
<p><label for="password">Password</label><br><input id="password" name="password" type="password" autocomplete="off"></p>
<p><input type="submit" value="Log in"></p>
</form>
${printedAddresses(corner.service, asked)}`,
  };
}

export function moodle(asked: Asked): Content {
  return {
    title: 'Moodle',
    crumbs: crumbs(asked, html`Moodle`),
    body: html`<p class="strap">Courses online</p>
<p>This Moodle has a sign-in of its own. It does not use the Services Portal.</p>
<form method="post" action="${asked.path}">
<p><label for="learner">Moodle name</label><br><input id="learner" name="learner"></p>
<p><input type="submit" value="Enter"></p>
</form>`,
  };
}

export function openPage(catalogue: Catalogue, asked: Asked): Content {
  const last = asked.path.split('/').at(-1) ?? '';
  const title = last === '' ? 'Welcome to Hantsweb' : `${last.charAt(0).toUpperCase()}${last.slice(1)}`;
  const doors = catalogue.services.map(service => html`<li><a href="${asked.local(service.start)}">${service.fullName}</a></li>`);
  return {
    title,
    crumbs: crumbs(asked, html`${title}`),
    body: html`<p class="strap">A public page of the council's main site: no sign-in is needed</p>
<img class="photo" src="/images/hills.png" width="240" height="96" alt="Hills near the county boundary">
<h2>Pages for schools</h2><ul class="menu">${doors}</ul>
<p><a href="/business/servicesportal/signin">Sign in to the Services Portal</a></p>`,
  };
}

export function notFound(asked: Asked): Content {
  return {
    title: 'Page cannot be found',
    crumbs: crumbs(asked, html`Not found`),
    body: html`<p class="strap">Error 404</p><p>The page may have been moved or removed since this site was last updated.</p>`,
  };
}
