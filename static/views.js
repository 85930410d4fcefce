// The views that show: overview, alerts, the story of one alert, and accounts.
import { cancelOrder, close, move, testOrder } from './controls.js';
import { ask, cells, h, keyed, money, outcome, read, root, say, table, time } from './kit.js';

const ALERT = ['Time', 'Outcome', 'Strategy', 'Account', 'Symbol', 'Side', 'Size', 'Price', 'Latency', 'Says'];
const list = (orders, pick) => [...new Set(orders.map(pick).filter(Boolean))].join(', ') || null;

function alertRow(row) {
  const orders = row.orders ?? [], link = `#/alert/${encodeURIComponent(row.alert_id)}`;
  return h('tr', { 'data-alert': row.alert_id, onclick: (event) => { if (!event.target.closest('a')) location.hash = link; } }, cells(ALERT, [
    h('a', { href: link }, time(row.received_at)),
    [outcome(row.status), row.code && ` ${row.code}`],
    row.strategy,
    list(orders, (each) => each.account + (each.paper ? ' (paper)' : '')),
    row.symbol,
    list(orders, (each) => each.side) ?? row.action,
    orders.map((each) => Number(each.filled_quantity) ? each.filled_quantity : each.quantity).filter(Boolean).join(', ') || null,
    list(orders, (each) => each.average_price),
    row.latency_ms == null ? null : `${row.latency_ms} ms`,
    row.message,
  ]));
}

const WORTH = (row) => h('li', { 'data-account': row.account }, row.account, ` (${row.mode})`,
  h('b', {}, row.equity == null ? 'equity not known' : `${row.equity} ${row.currency}`),
  'Today ', row.today == null ? 'not known: a price is missing' : Object.keys(row.today).length ? Object.entries(row.today).map(([coin, sum]) => [money(sum), ` ${coin} `]) : `0 ${row.currency}`);

const POSITION = ['Symbol', 'Account', 'Strategy', 'Quantity', 'Average', 'Open P&L', 'Stop', 'Target', 'Protected', 'Control'];
const targets = (row) => row.take_profits
  ? row.take_profits.filter((each) => !each.done).map((each) => `${each.price} (${each.quantity})`).join(', ') : row.take_profit;
function positionRow(row) {
  const guard = row.protected === true ? h('span', { class: 'good' }, 'protected') : row.protected === false
    ? h('span', { class: 'bad word' }, 'NOT protected') : h('span', { class: 'dim' }, 'nothing asked for');
  return h('tr', { 'data-position': row.instrument }, cells(POSITION, [row.symbol === row.instrument ? row.symbol : `${row.symbol} (${row.instrument})`,
    row.account + (row.paper ? ' (paper)' : ''), row.strategy, row.quantity, row.average_price, row.open_pnl == null ? null : money(row.open_pnl),
    row.stop_loss, targets(row), row.strategy === 'manual' ? 'by hand, not ours' : guard,
    row.strategy === 'manual' ? '' : h('div', { class: 'row' }, Number(row.quantity) ? h('button', { onclick: () => move(row), title: `Move the stop and target of ${row.instrument} of ${row.strategy}` }, 'Move') : null,
      h('button', { onclick: () => close(row), title: `Close ${row.instrument} of ${row.strategy}` }, 'Close'))]));
}

export function overview() {
  const problems = h('ul', { class: 'problems' }), fine = h('p', { class: 'good' }), worth = h('ul', { class: 'cards' });
  const held = table(POSITION, []), last = table(ALERT, []), first = h('div', { 'data-first-run': true });
  const none = h('p', { class: 'dim' });
  return {
    node: h('section', { 'data-view': 'overview' }, h('h1', {}, 'Overview'), fine, problems, first, h('h2', {}, 'Accounts'), worth,
      h('h2', {}, 'Open positions'), none, held.node, h('h2', {}, 'Latest alerts'), last.node),
    update(data) {
      fine.textContent = data.problems.length ? '' : 'Nothing is wrong.';
      keyed(problems, data.problems, (each) => each.kind + each.text, (each) => h('li', { 'data-problem': each.kind }, each.text, ' Since ', time(each.since), '.'));
      keyed(worth, data.accounts, (each) => each.account, WORTH);
      none.textContent = data.positions.length ? '' : 'Nothing is held.';
      held.node.hidden = !data.positions.length;
      keyed(held.rows, data.positions, (each) => [each.account, each.instrument, each.strategy, each.paper].join(), positionRow);
      keyed(last.rows, data.alerts, (each) => each.alert_id, alertRow);
      last.node.hidden = !data.alerts.length;
      if (data.alerts.length) first.replaceChildren();
      else if (!first.firstChild) first.append(...firstRun(data));
    },
  };
}

function firstRun(data) {
  return [h('h2', {}, 'What to do next'), h('ol', {},
    h('li', {}, h('a', { href: '#/composer' }, 'Write a message and try it'), ': that trades nothing.'),
    h('li', {}, 'Give TradingView an address: it calls only ports 80 and 443 of a public host. See docs/connect-tradingview.md.'),
    h('li', {}, 'Paste address and message into an alert. Its outcome stands here within seconds.'),
    h('li', {}, data.mode === 'live' ? 'This receiver is LIVE: the first alert trades real money.' : 'Everything is paper until config.yaml says otherwise: see docs/going-live.md.'))];
}

const OUTCOMES = ['pending', 'unknown', 'unreached', 'filled', 'partly_filled', 'accepted', 'cancelled', 'expired', 'nothing_to_do', 'absent', 'refused', 'denied'];
export function alerts(_, query) {
  const names = h('datalist', { id: 'names' }), found = table(ALERT, []), note = h('p', { class: 'dim', role: 'status' });
  let text = null;
  const form = h('form', { class: 'row', onsubmit: (event) => { event.preventDefault(); text = null; show(); } },
    h('label', {}, 'Strategy', h('input', { name: 'strategy', list: 'names', value: query.get('strategy') })), names,
    h('label', {}, 'Symbol', h('input', { name: 'symbol', value: query.get('symbol') })),
    h('label', {}, 'Outcome', h('select', { name: 'status' }, h('option', { value: '' }, 'all'), OUTCOMES.map((each) => h('option', { value: each, selected: query.get('status') === each }, each.replaceAll('_', ' '))))),
    h('label', {}, 'Day (UTC)', h('input', { name: 'day', type: 'date', value: query.get('day') })));
  const show = async () => {
    const asked = new URLSearchParams([...new FormData(form)].filter(([, value]) => value.trim()));
    history.replaceState(null, '', `#/alerts${String(asked) && `?${asked}`}`);
    asked.set('limit', '200');
    if (form.isConnected || text === null) text = String(asked);
    try {
      const shape = await read(`history?${asked}`);
      if (text !== String(asked)) return;
      keyed(found.rows, shape.alerts, (each) => each.alert_id, alertRow);
      note.textContent = shape.count === 200 ? 'The newest 200 are shown.' : `${shape.count} shown.`;
    } catch (error) { note.textContent = error.message; }
  };
  form.addEventListener('input', show);
  form.addEventListener('change', show);
  return {
    node: h('section', { 'data-view': 'alerts' }, h('h1', {}, 'Alerts'), form, note, found.node),
    update(data) { keyed(names, data.strategies, (each) => each, (each) => h('option', { value: each })); show(); },
  };
}

const ORDER = ['Sent', 'Outcome', 'Account', 'What', 'Limit', 'Stop', 'Filled', 'Average', 'Answer'];
const part = (name, title, ...inside) => h('section', { 'data-part': name, 'aria-label': title }, h('h2', {}, title), inside);
const pairs = (shape) => h('dl', {}, Object.entries(shape ?? {}).filter(([, value]) => value != null).map(([name, value]) =>
  h('div', {}, h('dt', { class: 'dim' }, name.replaceAll('_', ' ')), h('dd', {}, typeof value === 'object' ? Object.entries(value).map((each) => each.join(' ')).join(', ') : value))));

export function story(id) {
  const node = h('section', { 'data-view': 'story' }, h('h1', {}, 'Alert'), h('p', {}, 'Loading…'));
  let seen;
  const result = h('pre', { hidden: true, role: 'status' });
  const show = (text) => { result.hidden = false; result.textContent = text; };
  async function copy(row) {
    const base = document.body.dataset.base || String(root).replace(/\/$/, '');
    const curl = `curl ${base}/webhook --data-raw '${row.body.replaceAll("'", "'\\''")}'`;
    show(curl);
    try { await navigator.clipboard.writeText(curl); say('Copied. Secrets are masked: put yours in their place.'); } catch { say('Copy the command below. Secrets are masked: put yours in their place.'); }
  }
  async function replay(row) {
    const answer = await ask('webhook/validate', { method: 'POST', body: row.body, quiet: true }), shape = await answer.json();
    show([shape, ...(shape.results ?? [])].map((each) => each.message).filter(Boolean).join('\n') + '\nNothing was recorded or traded: this is what it would do now.');
  }
  return {
    node,
    async update() {
      let row;
      try { row = await read(`history/${encodeURIComponent(id)}`); } catch (error) { node.lastChild.textContent = error.message; return; }
      if (seen === JSON.stringify(row)) return;
      seen = JSON.stringify(row);
      const orders = table(ORDER, row.requests.map((each) => h('tr', {}, cells(ORDER, [time(each.sent_at), outcome(each.status), each.account + (each.paper ? ' (paper)' : ''),
        `${each.kind.replaceAll('_', ' ')}: ${each.side} ${each.quantity} ${each.instrument}, ${each.order_type}`, each.limit_price, each.stop_price, each.filled_quantity, each.average_price,
        [each.code, each.message].filter(Boolean).join(': ') || '–']))));
      const phases = Object.entries(row.milliseconds ?? {}), times = table(['Phase', 'Milliseconds'], phases.map((each) => h('tr', {}, cells(['Phase', 'Milliseconds'], each))));
      const refused = (row.orders ?? []).filter((each) => !each.client_order_id);
      node.replaceChildren(h('p', {}, h('a', { href: '#/alerts' }, 'Back to the list')), h('article', { 'data-story': id },
        h('h1', {}, `${row.action ?? 'Alert'} ${row.symbol ?? ''}`, ' ', outcome(row.status)), h('p', {}, time(row.received_at), ` · ${row.alert_id}`),
        part('explain', 'In a sentence', h('p', {}, row.explain), (row.warnings ?? []).map((each) => h('p', { class: 'warn' }, each))),
        h('div', { class: 'row' }, h('button', { onclick: () => copy(row) }, 'Copy as curl'), h('button', { onclick: () => replay(row).catch((error) => show(error.message)) }, 'Replay on paper')), result,
        part('body', 'What TradingView sent', h('pre', {}, row.body)),
        part('understood', 'What was understood', row.alert ? pairs({ ...row.alert, ...row.notes, comment: row.comment }) : 'It could not be read as an alert.'),
        part('decisions', 'What was decided', h('ol', {}, row.decisions.map((each) => h('li', {}, time(each.at), ' ', each.text)))),
        part('orders', 'Orders', row.requests.length ? orders.node : h('p', {}, 'No order was sent.'), refused.map((each) => h('p', {}, `${each.account}: ${each.code}: ${each.message}`)), row.closed.map((each) => h('p', {}, `${each.message} Profit ${each.realized_pnl}.`))),
        part('times', 'Milliseconds', times.node)));
    },
  };
}

const MAY_END = (order) => order.kind === 'entry' || (order.kind === 'exit' && order.order_type !== 'market');
export function accounts() {
  const cards = h('ul', { class: 'cards' }), told = h('pre', { hidden: true, role: 'status' });
  const check = async () => {
    told.hidden = false;
    told.textContent = 'Asking every venue…';
    try { told.textContent = (await read('accounts?connect=1')).accounts.map((each) => [`${each.account}: ${each.reachable == null ? 'has no venue to ask' : each.reachable ? 'answers' : 'does not answer'}`, ...each.problems.map((text) => `problem: ${text}`), ...each.warnings.map((text) => `warning: ${text}`)].join('\n  ')).join('\n'); } catch (error) { told.textContent = error.message; }
  };
  return {
    node: h('section', { 'data-view': 'accounts' }, h('h1', {}, 'Accounts'), h('button', { onclick: check }, 'Ask the venues'), told, cards),
    update(data) {
      const ill = new Map(data.problems.filter((each) => each.kind === 'silent_accounts').map((each) => [each.account, each.text]));
      const whole = data.accounts.map((each) => ({ ...each, silent: ill.get(each.account), held: data.positions.filter((row) => row.account === each.account) }));
      keyed(cards, whole, (each) => each.account, (row) => h('li', { 'data-account': row.account }, h('h2', {}, row.account),
        pairs({ broker: row.broker, mode: row.mode, market: row.market, equity: row.equity && `${row.equity} ${row.currency}`, cash: row.paper_cash && `${row.paper_cash} ${row.currency}`,
          today: row.today && (Object.entries(row.today).map((each) => each.reverse().join(' ')).join(', ') || '0'), missing: row.missing.join(', ') || null, connection: row.silent ?? null, strategies: row.strategies.join(', ') || null }),
        row.problems.map((each) => h('p', { class: 'bad' }, each)), row.warnings.map((each) => h('p', { class: 'warn' }, each)), limits(row.limits),
        h('h3', {}, 'Held'), row.held.length ? h('ul', {}, row.held.map((each) => h('li', {}, `${each.quantity} ${each.instrument} (${each.strategy})`,
          each.orders.length ? h('ul', {}, each.orders.map((order) => h('li', {}, `${order.kind.replaceAll('_', ' ')}: ${order.side} ${order.quantity} at ${order.stop_price ?? order.limit_price ?? 'the market'} `,
            MAY_END(order) && h('button', { onclick: () => cancelOrder(each, order) }, 'Cancel')))) : null))) : h('p', { class: 'dim' }, 'Nothing.'),
        h('p', {}, h('button', { onclick: () => testOrder(row), 'aria-label': `Test order on ${row.account}` }, 'Test order'))));
    },
  };
}

function limits(found) {
  return found?.length ? [h('h3', {}, 'Limits'), h('ul', {}, found.map((each) => h('li', {}, `${each.name.replaceAll('_', ' ')}: ${each.limit}${each.used == null ? '' : `, used ${each.used}`}`)))] : null;
}
