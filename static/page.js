// Keep the page up to date: which view is shown, and what the server says. While hidden it asks nothing.
import { ask, confirmed, control, say } from './kit.js';
import { strategies, strategy } from './strategies.js';
import { accounts, alerts, overview, story } from './views.js';
import { compare } from './compare.js';
import { composer } from './composer.js';

const EVERY_MS = 1200;
const VIEWS = { '': overview, alerts, alert: story, strategies, strategy, accounts, composer, compare };
const main = document.getElementById('main');
let shown, view, data, tag = '', timer, isAsking = false;

function open() {
  const [path, query] = location.hash.replace(/^#\/?/, '').split('?');
  const [name, ...rest] = path.split('/');
  const make = VIEWS[name] ?? overview;
  for (const link of document.querySelectorAll('nav a')) {
    const isHere = link.hash === `#/${{ alert: 'alerts', strategy: 'strategies' }[name] ?? name}`;
    if (isHere) link.setAttribute('aria-current', 'page'); else link.removeAttribute('aria-current');
  }
  const isMove = shown !== undefined && shown !== path;
  shown = path;
  view = make(decodeURIComponent(rest.join('/')), new URLSearchParams(query));
  main.replaceChildren(view.node);
  document.title = `${view.node.querySelector('h1').textContent} – Receiver`;
  if (isMove) { main.focus(); scrollTo(0, 0); say(''); }
  if (data) update();
}

function update() {
  const live = data.mode === 'live', mode = document.getElementById('mode');
  mode.dataset.mode = data.mode;
  mode.textContent = live ? 'LIVE: real money' : 'PAPER: no real money';
  view.update(data);
}

async function poll() {
  clearTimeout(timer);
  if (document.hidden || isAsking) return;
  isAsking = true;
  try {
    const answer = await ask('overview', { headers: tag ? { 'If-None-Match': tag } : {} });
    if (answer.status === 200) {
      data = await answer.json();
      tag = answer.headers.get('ETag');
      update();
    }
    document.body.classList.remove('lost');
    if (document.getElementById('said').dataset.lost) { delete document.getElementById('said').dataset.lost; say(''); }
  } catch {
    document.getElementById('said').dataset.lost = 'yes';
    say('The receiver does not answer. What is shown may be old; trying again.');
  }
  isAsking = false;
  if (!document.hidden) timer = setTimeout(poll, EVERY_MS);
}

document.getElementById('halt').addEventListener('click', () => confirmed({
  title: 'Halt everything?',
  effect: 'Nothing is opened any more, on no account and by no strategy, until you resume. Exits, stops and targets go on; what is held stays.',
  word: 'HALT', run: () => control('halt'),
}));
document.getElementById('resume').addEventListener('click', () => {
  const halted = (data?.problems ?? []).filter((each) => each.kind === 'halted').map((each) => each.text);
  confirmed({
    title: 'Resume everything?',
    effect: ['Every halt ends, and alerts may open positions again.', ...(halted.length ? halted : ['Nothing is halted now.'])],
    word: 'Resume', run: () => control('resume'),
  });
});
document.addEventListener('visibilitychange', () => { if (document.hidden) clearTimeout(timer); else poll(); });
const refresh = () => { tag = ''; poll(); }; // a control may change what the overview does not show
document.addEventListener('changed', () => { refresh(); setTimeout(refresh, 700); });
addEventListener('hashchange', open);
open();
poll();
