// The operator's page: asks the API every two seconds and shows what it says.
//
// A secret that is refused leads back to the door, in words. While the server is away the last figures stay, greyed, and
// it is asked on. A tab that nobody sees asks nothing.

import { forgetBudget, readBudget, showBudget } from './budget.js'
import { readCalls, showCalls, startCalls } from './calls.js'
import { stopRounds, tell, whenDone } from './deeds.js'
import { readJobs, showJobs, startJobs } from './jobs.js'
import { forgetResources, readResources, showResources, startResources } from './resources.js'
import { $, write } from './rows.js'
import { Refused, ask, now, secret } from './server.js'
import { clock } from './words.js'

const EVERY = 2000
let timer = 0
let turn = 0
let seen = 0

async function refresh() {
  clearTimeout(timer)
  timer = 0
  // A deed may end after its secret is gone.
  if (!secret.known()) return
  const mine = ++turn
  searching()
  try {
    const [budget, jobs, calls] = await Promise.all([readBudget(), readJobs(), readCalls()])
    if (mine !== turn) return
    $('content').hidden = false
    showBudget(budget)
    showJobs(jobs)
    showCalls(calls)
    seen = now()
    alive(true, `as of ${clock(seen)}`)
  } catch (error) {
    if (mine !== turn) return
    if (error.status === 401) return leave('The secret is no longer accepted. It may have been exchanged: give the new one.')
    if (error.status === 403) return leave(error.message)
    const since = seen ? ` What is shown is of ${clock(seen)}.` : ''
    alive(false, error instanceof Refused ? `${error.message}.${since}` : `The enqueuer does not answer; it is asked again every 2 s.${since}`)
  }
  if (!document.hidden) timer = setTimeout(refresh, EVERY)
}

// Beside the others, since among a million the server may search for seconds: nothing else waits for that, and it is
// asked again only after ten times as long.
async function searching() {
  const asked = readResources()
  if (!asked) return
  try {
    const page = await asked
    if (page && secret.known()) showResources(page)
  } catch (error) {
    if (error.name === 'TimeoutError') tell('The server takes too long to search or sort so many resources: sort by key, or search for less.', true)
    else if (error.status === 422) tell(error.message, true)
    // Whatever else it is, the other questions met it too, and say so.
  }
}

function alive(is, words) {
  write($('state'), is ? words : 'no answer', is ? 'live' : 'gone')
  $('away').hidden = is
  if (!is) write($('away'), words)
  $('content').classList.toggle('old', !is)
}

function enter() {
  for (const id of ['nav', 'leave', 'state']) $(id).hidden = false
  $('door').hidden = true
  $('secret').value = ''
  refresh()
}

function leave(why) {
  clearTimeout(timer)
  timer = 0
  turn++
  seen = 0
  secret.forget()
  forgetBudget()
  forgetResources()
  stopRounds()
  for (const id of ['content', 'nav', 'leave', 'state', 'away']) $(id).hidden = true
  // What was done before the secret was refused is still to be read.
  if (!why) $('told').hidden = true
  if ($('ask').open) $('ask').close()
  for (const id of ['providers', 'job-rows', 'resource-rows', 'call-rows']) $(id).replaceChildren()
  $('door').hidden = false
  write($('wrong'), why)
  $('secret').focus()
}

async function knock(event) {
  event.preventDefault()
  const given = $('secret').value.trim()
  // What cannot stand in a header is no secret.
  if (!/^[\x21-\x7e]+$/.test(given)) return write($('wrong'), 'A secret has no spaces and no letters beyond ASCII.')
  write($('wrong'), '')
  $('open').disabled = true
  write($('open'), 'Asking…')
  secret.keep(given)
  try {
    await ask('/api/budget')
    enter()
    $('main').focus()
  } catch (error) {
    secret.forget()
    const away = 'The enqueuer does not answer. Is it running?'
    write($('wrong'), error.status === 401 ? 'That is not the secret.' : error instanceof Refused ? error.message : away)
    $('secret').select()
  }
  $('open').disabled = false
  write($('open'), 'Open')
}

startJobs(refresh)
startResources(refresh)
startCalls(refresh)
whenDone(refresh)
$('door').addEventListener('submit', knock)
$('leave').addEventListener('click', () => leave(''))
document.addEventListener('visibilitychange', () => {
  if (!document.hidden && timer === 0 && secret.known()) refresh()
})
if (secret.known()) enter()
else {
  $('door').hidden = false
  $('secret').focus()
}
