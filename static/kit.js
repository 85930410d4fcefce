// What every view is made of. Text becomes text nodes, never markup: nothing from an alert can run.
export const root = new URL('..', import.meta.url);

export function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, '');
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children.flat(Infinity).filter((each) => each != null && each !== false).map((each) => each.nodeType ? each : String(each)));
  return node;
}

// Show items under a parent and touch only what changed, so that focus and selection stay where they are.
export function keyed(parent, items, keyOf, build) {
  const old = new Map([...parent.children].map((node) => [node._key, node]));
  const nodes = items.map((item) => {
    const key = keyOf(item), text = JSON.stringify(item), known = old.get(key);
    if (known && known._text === text) return known;
    const node = Object.assign(build(item), { _key: key, _text: text });
    if (known && known.contains(document.activeElement)) {
      const focusable = 'a,button,input,select';
      const at = [...known.querySelectorAll(focusable)].indexOf(document.activeElement);
      known.replaceWith(node);
      node.querySelectorAll(focusable)[at]?.focus();
    }
    return node;
  });
  nodes.forEach((node, at) => { if (parent.children[at] !== node) parent.insertBefore(node, parent.children[at] ?? null); });
  while (parent.children.length > nodes.length) parent.lastChild.remove();
}

export async function ask(path, options = {}) {
  const answer = await fetch(new URL(path, root), { cache: 'no-store', signal: AbortSignal.timeout(15000), ...options });
  if (answer.status === 401 && !options.quiet) location.reload(); // the session is over: back to the form
  return answer;
}

export async function read(path) {
  const answer = await ask(path), shape = await answer.json();
  if (!answer.ok) throw new Error(shape.message);
  return shape;
}

export async function control(path, body = {}) {
  const answer = await ask(path, { method: 'POST', body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } });
  const shape = await answer.json();
  if (!answer.ok) throw new Error(shape.message);
  return shape.message;
}

// Send an alert as the owner: why it was denied stands in the dialog.
export const send = (body) => control('send', body);

export function say(text) { document.getElementById('said').textContent = text; }

// Name what a control does before it is done. Escape cancels, and the focus goes back to where it was.
export function confirmed({ title, effect, word, run }) {
  const opener = document.activeElement, place = opener.closest('[data-position]')?.dataset.position;
  const problem = h('p', { class: 'bad', role: 'alert' });
  const go = h('button', { class: 'danger', onclick: async () => {
    go.disabled = true;
    problem.textContent = '';
    try { const said = await run(); box.close(); say(said); } catch (error) { problem.textContent = error.message; }
    go.disabled = false;
    document.dispatchEvent(new Event('changed'));
  } }, word);
  const box = h('dialog', { 'aria-labelledby': 'title', onclose: () => {
    box.remove();
    (opener.isConnected ? opener : document.querySelector(`[data-position="${CSS.escape(place ?? '')}"] button`))?.focus();
  } }, h('h2', { id: 'title' }, title), [effect].flat().map((each) => h('p', {}, each)), problem,
  h('div', { class: 'row' }, h('button', { onclick: () => box.close() }, 'Cancel'), go));
  document.body.append(box);
  box.showModal();
}

export function table(head, body, caption) {
  const rows = h('tbody', {}, body);
  return { rows, node: h('table', {}, caption && h('caption', {}, caption), h('thead', {}, h('tr', {}, head.map((each) => h('th', { scope: 'col' }, each)))), rows) };
}

export const cells = (head, values) => values.map((value, at) => h('td', { 'data-label': head[at] }, value ?? '–'));

const GOOD = ['filled', 'accepted'], DULL = ['nothing_to_do', 'cancelled', 'expired', 'absent'], WAIT = ['pending', 'partly_filled', 'unreached'];
export function outcome(word) {
  const kind = GOOD.includes(word) ? 'good' : DULL.includes(word) ? 'dim' : WAIT.includes(word) ? 'warn' : 'bad';
  return h('span', { class: `word ${kind}` }, (word ?? '–').replaceAll('_', ' '));
}

export const money = (text) => h('span', { class: String(text).startsWith('-') ? 'bad' : Number(text) > 0 ? 'good' : '' }, Number(text) > 0 ? `+${text}` : text ?? '–');
export function time(iso) {
  if (!iso) return '–';
  const at = new Date(iso), isToday = at.toDateString() === new Date().toDateString();
  return h('time', { datetime: iso, title: iso }, isToday ? at.toLocaleTimeString() : at.toLocaleString([], { dateStyle: 'short', timeStyle: 'medium' }));
}
