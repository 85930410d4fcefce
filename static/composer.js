// Write what goes into TradingView's alert: the address, and the message in one of three forms.
import { ask, h, keyed, root, say } from './kit.js';

const SECRET = 'YOUR-SECRET';
const option = (value, text, chosen) => h('option', { value, selected: value === chosen }, text);
const field = (label, node) => h('label', {}, label, node);
const choice = (name, ...options) => h('select', { name }, options.map((each) => option(...each)));

// What TradingView would fill in, to try a message with.
function fill(text, form) {
  const symbol = form.try_symbol || 'BTCUSDT', price = form.try_price || '100', quantity = form.quantity || '1';
  const values = { ticker: symbol, close: price, 'strategy.order.price': price, 'strategy.order.contracts': quantity, 'strategy.order.action': 'buy',
    'strategy.market_position': 'long', 'strategy.position_size': quantity, 'strategy.order.id': 'Long', interval: '60', timenow: new Date().toISOString().replace(/\.\d+/, '') };
  return text.replace(/\{\{([^}]+)\}\}/g, (whole, name) => values[name] ?? whole);
}

// A level is a price, or a percentage of the fill.
function level(text) {
  const plain = text.trim().replace(',', '.');
  const found = /^(\d+(?:\.\d+)?)\s*(%?)$/.exec(plain);
  if (!plain) return null;
  if (!found || !Number(found[1])) return { problem: `${text}: write a price like 44000, or a percentage of the fill like 2%.` };
  return found[2] ? { percent: found[1] } : { price: found[1] };
}

function fields(form, stop, target) {
  const own = form.source === 'strategy', price = own ? '{{strategy.order.price}}' : '{{close}}', isClose = !own && form.action === 'close';
  const shape = { action: own ? '{{strategy.order.action}}' : form.action, symbol: form.symbol || '{{ticker}}', price };
  if (!isClose) shape.quantity = own && !form.quantity ? '{{strategy.order.contracts}}' : form.quantity || '1';
  if (own) Object.assign(shape, { market_position: '{{strategy.market_position}}', position_size: '{{strategy.position_size}}' });
  if (!isClose && form.order_type !== 'market') Object.assign(shape, { order_type: form.order_type, [form.order_type === 'limit' ? 'limit_price' : 'stop_price']: price });
  if (!isClose && stop) shape.stop_loss = stop;
  if (!isClose && target) shape.take_profit = target;
  if (form.strategy) shape.strategy = form.strategy;
  if (form.account) shape.account = form.account;
  const mark = own ? '{{strategy.order.id}}|{{strategy.position_size}}' : `{{ticker}}|{{interval}}|${form.action}`;
  return { ...shape, interval: '{{interval}}', timenow: '{{timenow}}', idempotency_key: `{{timenow}}|${mark}`, secret: SECRET };
}

const toJson = (shape) => JSON.stringify(Object.fromEntries(Object.entries(shape).map(([name, value]) =>
  [name, value.price ?? (value.percent ? { percent: Number(value.percent) } : value)])), null, 2);

const quoted = (text) => /[\s"]/.test(text) ? `"${text.replaceAll('"', "'")}"` : text;
function toText(shape) {
  const { action, symbol, price, stop_loss: stop, take_profit: target, ...rest } = shape;
  const levels = [[stop, 'sl', 'percentage_sl'], [target, 'tp', 'percentage_tp']].filter(([each]) => each)
    .map(([each, name, percentage]) => each.percent ? `${percentage}=${each.percent}` : `${name}=${each.price}`);
  return [action, symbol, `@ ${price}`, ...levels, ...Object.entries(rest).map(([name, value]) => `${name}=${quoted(value)}`)].join(' ');
}

// Inside alert() nothing is filled in, so the script writes each value itself, and quotes cannot break out.
const pineText = (text) => `"${JSON.stringify(text).slice(1, -1).replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
function toPine(form, shape) {
  const set = (name, value) => `field(${pineText(name)}, ${value})`, isClose = shape.quantity === undefined;
  const one = (name, each) => each && (each.percent ? `'"${name}": {"percent": ${each.percent}}, '` : set(name, pineText(each.price)));
  const parts = [set('action', 'action'), set('symbol', form.symbol ? pineText(form.symbol) : 'syminfo.ticker'), set('price', 'str.tostring(close, format.mintick)'),
    !isClose && set('quantity', 'str.tostring(quantity)'), shape.order_type && set('order_type', pineText(shape.order_type)),
    shape.limit_price && set('limit_price', 'str.tostring(close, format.mintick)'), shape.stop_price && set('stop_price', 'str.tostring(close, format.mintick)'),
    one('stop_loss', shape.stop_loss), one('take_profit', shape.take_profit),
    form.strategy && set('strategy', pineText(form.strategy)), form.account && set('account', pineText(form.account)),
    set('interval', 'timeframe.period'), set('timenow', 'str.tostring(timenow)'), set('idempotency_key', 'str.tostring(timenow) + "|" + syminfo.ticker + "|" + action')].filter(Boolean);
  return `//@version=6
indicator("Alerts for the receiver")

secret = input.string("${SECRET}", "Secret", display = display.none)
quantity = input.float(${Number(form.quantity) || 1}, "Quantity", minval = 0.0)

field(string key, string value) =>
    '"' + key + '": "' + value + '", '

message(string action) =>
    '{' + ${parts.join(' +\n      ')} +
      '"secret": "' + secret + '"}'

// Put your own condition here.
signal = ta.crossover(close, ta.sma(close, 20))

if barstate.isconfirmed and signal
    alert(message("${form.source === 'strategy' ? 'buy' : form.action}"), alert.freq_once_per_bar_close)

plot(close)
`;
}

function warn(form, url) {
  const address = new URL(url), found = [];
  if (!['', '80', '443'].includes(address.port)) found.push(`TradingView calls only ports 80 and 443, not ${address.port}: put a proxy in front.`);
  if (/^(localhost|127\.|10\.|192\.168\.|\[)/.test(address.host)) found.push('TradingView cannot reach this address: it needs a public host name.');
  if (address.protocol === 'http:') found.push('Over plain HTTP everybody on the way can read the secret: use HTTPS.');
  found.push(`Put your TRADINGVIEW_WEBHOOK_SECRET in the place of ${SECRET}. TradingView cannot sign a message or send a header.`);
  if (form.dialect === 'pine') found.push('Placeholders like {{ticker}} are not filled in inside alert(): the script writes each value. Choose "Any alert() function call" in the alert.');
  else if (form.source === 'strategy') found.push('This message is for an alert on a strategy. In an alert on an indicator {{strategy.…}} is not filled in.');
  const fixed = [form.stop_loss, form.take_profit].some((each) => each.trim() && !each.includes('%'));
  if (fixed && form.source === 'strategy') found.push('A fixed price as stop or target suits one side and one moment: a percentage suits both.');
  if (form.order_type !== 'market' && form.dialect !== 'pine' && form.source === 'strategy') found.push('TradingView sends a strategy\'s alert when its order has filled there; a resting order here may then not fill.');
  return found;
}

export function composer() {
  const names = h('datalist', { id: 'strategies' }), accounts = h('select', { name: 'account' }, option('', 'as configured'));
  const form = h('form', { class: 'row', onsubmit: (event) => event.preventDefault() },
    field('Alert on', choice('source', ['strategy', 'a strategy'], ['indicator', 'an indicator or price'])),
    field('Action (indicator)', choice('action', ['buy', 'buy'], ['sell', 'sell'], ['close', 'close'])),
    field('Strategy', h('input', { name: 'strategy', list: 'strategies', value: 'my-strategy', maxlength: 100 })), names, field('Account', accounts),
    field('Symbol', h('input', { name: 'symbol', placeholder: "the chart's" })),
    field('Quantity', h('input', { name: 'quantity', inputmode: 'decimal', placeholder: "the strategy's, or 1" })),
    field('Order', choice('order_type', ['market', 'market'], ['limit', 'limit'], ['stop', 'stop'])),
    field('Stop loss', h('input', { name: 'stop_loss', placeholder: '44000 or 2%' })), field('Take profit', h('input', { name: 'take_profit', placeholder: '47000 or 4%' })),
    field('Written as', choice('dialect', ['json', 'JSON'], ['text', 'a line of text'], ['pine', 'Pine v6 code'])),
    field('Try with symbol', h('input', { name: 'try_symbol', value: 'BTCUSDT' })), field('and price', h('input', { name: 'try_price', inputmode: 'decimal', value: '45000' })));
  const url = h('pre', { 'data-out': 'url' }), message = h('pre', { 'data-out': 'message' }), warnings = h('ul', { 'data-out': 'warnings', class: 'warn' }), verdict = h('p', { 'data-out': 'verdict', role: 'status' });
  let asked = 0, timer;
  async function attempt(text, chosen) {
    const mine = ++asked;
    verdict.textContent = 'Trying it…';
    try {
      const answer = await ask('webhook/validate', { method: 'POST', body: fill(text, chosen), quiet: true }), shape = await answer.json();
      if (mine !== asked) return;
      verdict.className = shape.valid ? 'good' : 'bad';
      verdict.textContent = [shape.message, ...(shape.warnings ?? [])].join(' ');
    } catch (error) { if (mine === asked) verdict.textContent = `It could not be tried: ${error.message}`; }
  }
  function write() {
    const chosen = { ...Object.fromEntries(new FormData(form)), action: form.elements.action.value }, levels = ['stop_loss', 'take_profit'].map((name) => level(chosen[name]));
    const problems = levels.map((each) => each?.problem).filter(Boolean), [stop, target] = levels.map((each) => each?.problem ? null : each);
    if (chosen.quantity && !(Number(chosen.quantity) > 0)) { problems.push(`Quantity ${chosen.quantity}: write a number like 0.1.`); }
    const shape = fields(chosen, stop, target), isText = chosen.dialect === 'text';
    form.elements.action.disabled = chosen.source === 'strategy';
    url.textContent = `${document.body.dataset.base || String(root).replace(/\/$/, '')}/webhook`;
    if (problems.length) { // a message without the stop that was meant must not be copied
      message.textContent = '';
      clearTimeout(timer);
      asked += 1;
      verdict.className = 'bad';
      verdict.textContent = problems.join(' ');
      warnings.replaceChildren();
      return;
    }
    message.textContent = chosen.dialect === 'pine' ? toPine(chosen, shape) : isText ? toText(shape) : toJson(shape);
    warnings.replaceChildren(...warn(chosen, url.textContent).map((each) => h('li', {}, each)));
    clearTimeout(timer);
    timer = setTimeout(() => attempt(isText ? toText(shape) : toJson(shape), chosen), 250);
  }
  const copy = (node) => h('button', { onclick: async () => { try { await navigator.clipboard.writeText(node.textContent); say('Copied.'); } catch { getSelection().selectAllChildren(node); say('Marked: copy it with Ctrl+C.'); } } }, 'Copy');
  form.addEventListener('input', write);
  form.addEventListener('change', write);
  write();
  return {
    node: h('section', { 'data-view': 'composer' }, h('h1', {}, 'Composer'), form, h('h2', {}, 'Webhook URL'), url, copy(url), h('h2', {}, 'Message'), message, copy(message),
      h('h2', {}, 'Tried here, with values in place of the placeholders'), verdict, h('h2', {}, 'To know'), warnings),
    update(data) {
      keyed(names, data.strategies, (each) => each, (each) => option(each));
      for (const each of data.accounts) if (![...accounts.options].some((known) => known.value === each.account)) accounts.append(option(each.account, each.account));
    },
  };
}
