// The ledger: the last requests to providers, what came of them and what they cost.

import { $, Pages, cells, keep, write } from './rows.js'
import { ask, now, query } from './server.js'
import { exact, number, relative, span } from './words.js'

const ROWS = 15
const COLUMNS = [['Call', 'number'], ['Endpoint', 'key'], ['For', ''], ['Resources', 'number'], ['Outcome', 'state'], ['Credits', 'number'], ['Took', 'number'], ['When', 'when']]
const FINE = ['ok', 'not_modified', 'empty']
let pages

export function startCalls(changed) {
  pages = new Pages('calls', changed)
}

export const readCalls = () => ask(query('/api/calls', { limit: ROWS, ...pages.query }))

export function showCalls(page) {
  keep($('call-rows'), page.calls, (call) => call.id, cells(COLUMNS), changeCall)
  $('no-calls').hidden = page.calls.length > 0
  pages.show(page.calls.length, page.next)
}

function changeCall(row, call) {
  const [id, endpoint, whom, items, outcome, credits, took, when] = row.children
  write(id, call.id)
  write(endpoint, `${call.provider} · ${call.endpoint}`)
  write(whom, call.class)
  write(items, number(call.items))
  const grade = !call.outcome ? 'state running' : FINE.includes(call.outcome) ? 'state good' : 'state bad'
  write(outcome, call.outcome ? `${call.outcome}${call.http_status ? ` ${call.http_status}` : ''}` : 'on its way', grade)
  write(credits, call.credits === null ? `≤ ${number(call.reserved_credits)}` : number(call.credits))
  write(took, span(call.duration_secs))
  write(when, relative(call.reserved_at, now()))
  when.title = exact(call.reserved_at)
}
