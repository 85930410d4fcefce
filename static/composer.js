import { h } from './kit.js';
export function composer() { return { node: h('section', { 'data-view': 'composer' }, h('h1', {}, 'Composer')), update() {} }; }
