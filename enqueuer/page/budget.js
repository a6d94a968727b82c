// Providers: each limit as a bar, each calendar window as a chart, and the lane with its switch.

import { bar, chart, evenShare } from './charts.js'
import { closeLane, openLane } from './deeds.js'
import { $, element, keep, write } from './rows.js'
import { ask, now, query } from './server.js'
import { exact, number, relative } from './words.js'

// A window's history is read less often than what stands against it: it costs the server a look at every call.
const HISTORY_EVERY = 10000
const histories = new Map()
let read = 0

// Why a limit has no chart.
const UNDRAWN = {
  rolling: 'no chart: its window moves with the clock, and each call leaves it again',
  concurrency: 'no chart: it counts calls in flight, now',
  discovered: 'no chart until the provider tells when it resets',
}

const LABELS = {
  spent: 'spent by us', foreign: 'by others', reserved: 'reserved', kept: 'kept for readers', even: 'even pace', projection: 'projection',
}

// Reads what the section shows; the histories from time to time.
export async function readBudget() {
  const [{ providers }, { lanes }] = await Promise.all([ask('/api/budget'), ask('/api/lanes')])
  if (performance.now() - read > HISTORY_EVERY || read === 0) {
    const windows = providers.flatMap(({ provider, limits }) =>
      limits.filter((it) => it.starts_at && it.resets_at).map((limit) => ({ provider, limit: limit.name })))
    await Promise.all(windows.map(async (window) => {
      const { points } = await ask(query('/api/budget/history', window))
      histories.set(`${window.provider} ${window.limit}`, points)
    }))
    read = performance.now()
  }
  return { providers, others: lanes.filter(({ lane }) => !providers.some((it) => it.provider === lane)) }
}

export function showBudget(budget) {
  const lanes = ['', ...budget.providers.map((it) => it.provider), ...budget.others.map((it) => it.lane)]
  keep($('job-lane'), lanes, (lane) => lane || 'all', (lane) => element('option', { value: lane }, lane || 'all lanes'))
  keep($('providers'), budget.providers, (it) => it.provider, makeProvider, changeProvider)
  keep($('other-lanes'), budget.others, (it) => it.lane, makeOther, changeLane)
  $('no-providers').hidden = budget.providers.length > 0
}

export function forgetBudget() {
  histories.clear()
  read = 0
}

function makeProvider({ provider }) {
  return element('article', { class: 'provider', 'aria-label': `provider ${provider}` }, makeHead(provider),
    element('div', { class: 'limits' }, element('div', { class: 'windows' }), element('div', { class: 'moving' })))
}

// A lane without a budget: its name and its switch.
const makeOther = ({ lane }) => element('article', { class: 'provider other', 'aria-label': `lane ${lane}` }, makeHead(lane))

function makeHead(lane) {
  const button = element('button', { type: 'button', onclick: () => (button.dataset.open === 'true' ? closeLane(lane) : openLane(lane)) })
  const state = element('p', { class: 'lane' }, element('span', { class: 'pill' }), element('span', { class: 'because' }))
  return element('header', {}, element('h3', {}, lane), state, button)
}

function changeLane(card, { lane, open, closed_until: closedUntil, reason }) {
  const until = closedUntil ? `opens ${relative(closedUntil, now())}, at ${exact(closedUntil)}` : 'until somebody opens it'
  const because = lane === 'local' ? 'jobs that call no provider' : ''
  write(card.querySelector('.pill'), open ? 'open' : 'closed', open ? 'pill good' : 'pill bad')
  write(card.querySelector('.because'), open ? because : `${reason ?? 'no reason given'} · ${until}`)
  const button = card.querySelector('button')
  button.dataset.open = open
  write(button, open ? 'Close lane…' : 'Open lane')
  button.setAttribute('aria-label', `${open ? 'Close' : 'Open'} lane ${lane}`)
}

function changeProvider(card, provider) {
  changeLane(card, { ...provider, lane: provider.provider })
  // Windows with a beginning and an end have a chart, the longest first; beside them those that move.
  const length = (it) => Date.parse(it.resets_at) - Date.parse(it.starts_at)
  const windows = provider.limits.filter((it) => it.starts_at && it.resets_at).sort((a, b) => length(b) - length(a))
  const moving = provider.limits.filter((it) => !windows.includes(it))
  for (const [place, limits] of [['.windows', windows], ['.moving', moving]]) {
    keep(card.querySelector(place), limits, (it) => it.name, makeLimit, (box, limit) => changeLimit(box, provider.provider, limit))
  }
}

function makeLimit(limit) {
  const line = element('div', { class: 'line' }, element('h4', {}, limit.name), element('span', { class: 'numbers' }))
  return element('div', { class: 'limit' }, line,
    element('div', { class: 'drawing' }), element('div', { class: 'history' }), element('p', { class: 'remarks' }), element('ul', { class: 'legend' }))
}

function changeLimit(box, provider, limit) {
  const even = evenShare(limit, now())
  const sum = [`${number(limit.spent)} spent`]
  if (limit.foreign) sum.push(`${number(limit.foreign)} by others`)
  if (limit.reserved) sum.push(`${number(limit.reserved)} reserved`)
  const numbers = `${sum.join(' + ')} of ${number(limit.cap)} ${limit.unit}`
  write(box.querySelector('.numbers'), numbers)
  write(box.querySelector('.remarks'), remarks(limit, even).join(' · '), limit.exhausted_at ? 'remarks warn' : 'remarks')
  box.querySelector('.drawing').replaceChildren(bar(limit, now(), `${limit.name}: ${numbers}`))
  const points = histories.get(`${provider} ${limit.name}`)
  const history = box.querySelector('.history')
  if (points && even !== null) {
    const width = Math.max(history.clientWidth, 200)
    history.replaceChildren(chart(limit, points, now(), width, `${limit.name} so far: ${numbers}`))
  }
  const parts = ['spent']
  for (const part of ['foreign', 'reserved', 'kept']) if (limit[part]) parts.push(part)
  if (even !== null) parts.push('even')
  if (limit.projected !== null) parts.push('projection')
  // One colour alone needs no explanation.
  keep(box.querySelector('.legend'), parts.length > 1 ? parts : [], (part) => part, (part) => element('li', { class: part }, LABELS[part]))
}

function remarks(limit, even) {
  const said = [`${number(limit.remaining)} left`]
  if (even !== null) said.push(`even pace ${number(Math.round(limit.cap * even))}`)
  if (limit.projected !== null) said.push(`${number(limit.projected)} at its end`)
  if (limit.exhausted_at) said.push(`full ${relative(limit.exhausted_at, now())}`)
  if (limit.kept) said.push(`${number(limit.kept)} kept for readers`)
  if (limit.resets_at) said.push(`resets ${relative(limit.resets_at, now())}`)
  if (limit.remote && limit.remote.used !== null) {
    const drift = limit.remote.drift ? `, ${limit.remote.drift > 0 ? '+' : ''}${number(limit.remote.drift)} against ours` : ''
    said.push(`provider counted ${number(limit.remote.used)}${drift}`)
  }
  if (limit.soft) said.push('only counted, never blocks')
  if (even === null) said.push(UNDRAWN[limit.kind] ?? UNDRAWN.discovered)
  return said
}
