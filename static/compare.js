// Hold TradingView's exported files against the record, and show each difference. Nothing is kept of them.
import { ask, cells, h, table, time } from './kit.js';

const DIFFERENCES = ['What', 'Where', 'In words'], ALERTS = ['Line', 'Fired', 'Chart', 'Webhook', 'Became', 'Late'];
const ORDERS = ['Time', 'Side', 'Size', 'Price', 'Ours', 'Our price', 'Slippage', 'Alert'];
const words = (text) => (text ?? '–').replaceAll('_', ' ');
const story = (id) => id ? h('a', { href: `#/alert/${encodeURIComponent(id)}` }, id) : '–';
const SHOWN = 500;

function difference(each) {
  const place = each.file ? `${each.file}${each.line ? `, line ${each.line}` : ''}` : '–';
  return h('tr', { 'data-difference': each.kind }, cells(DIFFERENCES, [words(each.kind), [place, ' ', each.alert_id && story(each.alert_id)], each.text]));
}

function found(shape) {
  const files = shape.files.map((each) => h('li', {}, `${each.file}: ${words(each.kind)}, ${each.rows} rows`,
    each.zone && `, times in ${each.zone}`, each.zone_source === 'alerts' && ' (taken from the alerts)'));
  const parts = [h('h2', {}, 'What was found'), h('ul', {}, shape.causes.map((each) => h('li', {}, each))),
    h('ul', { class: 'dim' }, files), h('ul', {}, shape.warnings.map((each) => h('li', { class: 'warn' }, each)))];
  if (shape.differences.length) parts.push(table(DIFFERENCES, shape.differences.slice(0, SHOWN).map(difference), `Differences: ${shape.differences.length}`).node);
  else parts.push(h('p', {}, 'No difference.'));
  if (shape.orders.length) parts.push(table(ORDERS, shape.orders.slice(0, SHOWN).map((each) => h('tr', {}, cells(ORDERS, [time(each.time), each.side, each.quantity, each.price,
    each.our_quantity, each.our_price, each.slippage && `${each.slippage.ticks ?? '?'} ticks, ${each.slippage.money}`, story(each.alert_id)]))), `Orders of the list: ${shape.orders.length}`).node);
  if (shape.alerts.length) parts.push(table(ALERTS, shape.alerts.slice(0, SHOWN).map((each) => h('tr', {}, cells(ALERTS, [each.line, time(each.time), each.ticker, each.webhook_status,
    [words(each.verdict), ' ', each.alert_id && story(each.alert_id)], each.late_seconds == null ? '–' : `${each.late_seconds} s`]))), `Alerts of the log: ${shape.alerts.length}`).node);
  return parts;
}

export function compare() {
  const result = h('div', { 'aria-live': 'polite' }), problem = h('p', { class: 'bad', role: 'alert' });
  const button = h('button', {}, 'Compare');
  const form = h('form', { class: 'row', onsubmit: async (event) => {
    event.preventDefault();
    button.disabled = true;
    problem.textContent = '';
    result.replaceChildren(h('p', {}, 'Comparing…'));
    try {
      const answer = await ask('compare', { method: 'POST', body: new FormData(form), signal: AbortSignal.timeout(120000) });
      const shape = await answer.json();
      if (!answer.ok) throw new Error(shape.message);
      result.replaceChildren(...found(shape));
    } catch (error) { problem.textContent = error.message; result.replaceChildren(); }
    button.disabled = false;
  } },
  h('label', {}, 'Alert log, list of trades or report', h('input', { type: 'file', name: 'file', multiple: true, required: true, accept: '.csv,.xlsx' })),
  h('label', {}, 'Zone of the chart', h('input', { name: 'zone', placeholder: 'taken from the alerts; else e.g. America/Chicago', autocomplete: 'off' })),
  button);
  const node = h('section', { 'data-view': 'compare' }, h('h1', {}, 'Compare with TradingView'),
    h('p', {}, 'Did every alert trade? Export the alert log (Alerts, Log) and, if you like, the list of trades of the strategy, and choose both here. Nothing is recorded or traded by it.'),
    form, problem, result);
  return { node, update() {} };
}
