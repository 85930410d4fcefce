// What the owner does by hand to a position, an order, a strategy: each names its effect before it is done.
import { confirmed, control, h, send } from './kit.js';

const onPaper = (row) => row.paper ? ' (paper)' : ' (LIVE: real money)';
const input = (name, label, attributes = {}) => h('label', {}, label, h('input', { name, autocomplete: 'off', ...attributes }));
const mark = () => `page-${Date.now()}-${Math.random().toString(36).slice(2)}`;
const filled = (form) => Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, value.trim()]).filter(([, value]) => value));

export const close = (row) => confirmed({
  title: `Close ${row.instrument}?`,
  effect: `Closes ${row.quantity} ${row.instrument} of ${row.strategy} on ${row.account}${onPaper(row)} at the market, and cancels its orders.`,
  word: 'Close', run: () => control('flatten', { account: row.account, strategy: row.strategy, symbol: row.symbol, confirm: true }),
});

export function move(row) {
  const key = mark(), form = h('form', { class: 'row', onsubmit: (event) => event.preventDefault() },
    input('stop_loss', 'Stop loss', { value: row.stop_loss, inputmode: 'decimal' }), input('take_profit', 'Take profit', { value: row.take_profit, inputmode: 'decimal' }));
  confirmed({
    title: `Move the stop and target of ${row.instrument}?`,
    effect: [`For ${row.quantity} ${row.instrument} of ${row.strategy} on ${row.account}${onPaper(row)}. A price that you leave as it is stays; nothing is opened or closed.`, form],
    word: 'Move', run: () => send({ action: 'update', symbol: row.symbol, strategy: row.strategy, account: row.account, ...filled(form), idempotency_key: key }),
  });
}

export const cancelOrder = (row, order) => confirmed({
  title: 'Cancel this order?',
  effect: `Ends the ${order.order_type} order to ${order.side} ${order.quantity} ${row.instrument} of ${row.strategy} on ${row.account}${onPaper(row)}. What is held, its stop and its target stay.`,
  word: 'Cancel order', run: () => control(`orders/${encodeURIComponent(order.client_order_id)}/cancel`),
});

export function testOrder(row) {
  const key = mark(), form = h('form', { class: 'row', onsubmit: (event) => event.preventDefault() },
    input('symbol', 'Symbol', { value: 'BTCUSDT' }), h('label', {}, 'Side', h('select', { name: 'action' }, h('option', {}, 'buy'), h('option', {}, 'sell'))),
    input('quantity', 'Quantity', { value: '0.001', inputmode: 'decimal' }), input('price', 'Price now (paper fills at it)', { inputmode: 'decimal' }), input('strategy', 'Strategy', { value: row.strategies[0] ?? 'test' }));
  confirmed({
    title: `Send a test order to ${row.account}?`,
    effect: [row.mode === 'live' ? `${row.account} is LIVE: a strategy that config.yaml lets trade there buys or sells real money.` : `${row.account} is ${row.mode}: no real money moves.`,
      'It goes the way of an alert from TradingView, and its story stands under Alerts.', form],
    word: 'Send', run: () => send({ account: row.account, ...filled(form), idempotency_key: key }),
  });
}

export const mode = (row) => {
  const to = row.mode === 'paper' ? 'live' : 'paper', name = row.name;
  return confirmed({
    title: `Let ${name} open ${to === 'paper' ? 'on paper' : 'on its own account'}?`,
    effect: to === 'paper' ? `New positions of ${name} are opened on paper. What it holds is closed where it was opened; its working entries are cancelled.`
      : `New positions of ${name} are opened on its own account again, with real money where that is live. Its working entries are cancelled.`,
    word: to === 'paper' ? 'Demote' : 'Promote', run: () => control(`strategies/${encodeURIComponent(name)}/mode`, { mode: to }),
  });
};

export const halt = (name, isHalted) => confirmed(isHalted
  ? { title: `Resume ${name}?`, effect: `Alerts of ${name} may open positions again.`, word: 'Resume', run: () => control('resume', { strategy: name }) }
  : { title: `Halt ${name}?`, effect: `${name} opens nothing more until you resume it. Its exits, stops and targets go on.`, word: 'Halt', run: () => control('halt', { strategy: name }) });
