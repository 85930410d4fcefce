// The strategies: how each is doing, where it opens and why, and the equity curve of one with its numbers.
import { halt, mode } from './controls.js';
import { cells, h, keyed, money, read, table } from './kit.js';

const FIGURES = ['trades', 'win_rate', 'net_pnl', 'max_drawdown'];
const STRATEGY = ['Strategy', 'Mode', 'Accounts', 'Paper: trades, win rate %, net P&L, drawdown', 'Live: the same', 'Control'];
const linkTo = (name) => `#/strategy/${encodeURIComponent(name)}`;

function buttons(row) {
  const isJudged = row.mode === 'live' || row.mode_since, word = row.mode === 'live' ? 'Demote' : 'Promote';
  return h('div', { class: 'row' }, h('button', { onclick: () => halt(row.name, row.is_halted), 'aria-label': `${row.is_halted ? 'Resume' : 'Halt'} ${row.name}` }, row.is_halted ? 'Resume' : 'Halt'),
    isJudged && h('button', { onclick: () => mode(row), 'aria-label': `${word} ${row.name}` }, word));
}

const standing = (row) => [h('span', { class: 'word' }, row.mode), row.reason && ` ${row.reason}`, row.enabled === false && ' (disabled in config.yaml)', row.is_halted && h('span', { class: 'bad' }, ' halted')];

function strategyRow(row) {
  const figures = (each) => each ? FIGURES.map((key) => each[key] ?? '–').join(' · ') : null;
  return h('tr', { 'data-strategy': row.name }, cells(STRATEGY, [h('a', { href: linkTo(row.name) }, row.name), standing(row), (row.accounts ?? [row.account]).join(', '), figures(row.paper), figures(row.live), buttons(row)]));
}

async function load(data) {
  const halted = new Set(data.halted);
  return (await read('strategies')).strategies.map((each) => ({ ...each, is_halted: halted.has(`strategy:${each.name}`) }));
}

export function strategies() {
  const rows = table(STRATEGY, []), none = h('p', { class: 'dim' });
  return {
    node: h('section', { 'data-view': 'strategies' }, h('h1', {}, 'Strategies'), none, rows.node),
    async update(data) {
      try {
        const found = await load(data);
        none.textContent = found.length ? '' : 'There is none yet: the first alert that names one creates it.';
        keyed(rows.rows, found, (each) => each.name, strategyRow);
      } catch (error) { none.textContent = error.message; }
    },
  };
}

const SVG = 'http://www.w3.org/2000/svg', WIDTH = 600, HEIGHT = 120, DAYS = 60;
const svg = (tag, attributes, ...children) => {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
};

// Paper and live on one scale of days and money, each beginning at 0.
function chart(curves, label) {
  const days = [...new Set(Object.values(curves).flatMap((curve) => curve.map((each) => each.day)))].sort();
  const sums = [0, ...Object.values(curves).flatMap((curve) => curve.map((each) => Number(each.equity)))];
  const low = Math.min(...sums), span = Math.max(...sums) - low || 1;
  const x = (day) => (days.indexOf(day) + 1) / days.length * WIDTH, y = (sum) => HEIGHT - (sum - low) / span * HEIGHT;
  const line = ([name, curve]) => curve.length ? [svg('path', { class: name === 'live' ? 'l' : 'p',
    d: `M${x(curve[0].day) - WIDTH / days.length} ${y(0)}${curve.map((each) => `L${x(each.day)} ${y(Number(each.equity))}`).join('')}` })] : [];
  return svg('svg', { class: 'chart', viewBox: `0 -4 ${WIDTH} ${HEIGHT + 8}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': label }, ...Object.entries(curves).flatMap(line));
}

const DAY = ['Day', 'Mode', 'Trades', 'Net P&L', 'Equity'];
const NAMES = { trades: 'trades', win_rate: 'win rate %', net_pnl: 'net P&L', fees: 'fees', profit_factor: 'profit factor', expectancy: 'expectancy', average_win: 'average win', average_loss: 'average loss', max_drawdown: 'drawdown', consecutive_losses: 'losses in a row' };

export function strategy(name) {
  const what = h('p', {}), control = h('div', {}), sums = table(['Figure', 'Paper', 'Live'], []), curve = h('div', {}), days = table(DAY, []), note = h('p', { class: 'dim' });
  let seen;
  return {
    node: h('section', { 'data-view': 'strategy', 'data-strategy': name }, h('p', {}, h('a', { href: '#/strategies' }, 'Back to the list')), h('h1', {}, name), what, control,
      h('h2', {}, 'Figures'), sums.node, h('h2', {}, 'Equity curve'), curve, note, days.node),
    async update(data) {
      try {
        const row = (await load(data)).find((each) => each.name === name);
        if (!row) { what.textContent = 'No strategy of that name has traded or is configured.'; return; }
        if (seen === JSON.stringify(row)) return;
        const shape = await read(`performance?strategy=${encodeURIComponent(name)}&by=day`);
        seen = JSON.stringify(row);
        what.replaceChildren(...standing(row).filter(Boolean));
        control.replaceChildren(buttons(row));
        keyed(sums.rows, Object.keys(NAMES), (each) => each, (each) => h('tr', {}, cells(['Figure', 'Paper', 'Live'], [NAMES[each], row.paper[each], row.live[each]])));
        const curves = { paper: shape.paper.equity_curve, live: shape.live.equity_curve };
        const points = Object.entries(curves).flatMap(([kind, found]) => found.map((each) => ({ ...each, kind }))).sort((a, b) => b.day.localeCompare(a.day));
        curve.replaceChildren(...points.length ? [chart(curves, `Equity curve of ${name}: paper dashed, live solid; the numbers are in the table below`)] : []);
        note.textContent = points.length ? `The sum of closed trades by day: paper dashed, live solid.${points.length > DAYS ? ` The newest ${DAYS} rows are shown.` : ''}` : 'No trade was closed yet.';
        days.node.hidden = !points.length;
        keyed(days.rows, points.slice(0, DAYS), (each) => each.day + each.kind, (each) => h('tr', {}, cells(DAY, [each.day, each.kind, each.trades, money(each.net_pnl), each.equity])));
      } catch (error) { note.textContent = error.message; }
    },
  };
}
