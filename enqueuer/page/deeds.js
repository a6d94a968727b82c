// What an operator does: each deed is asked about where it takes much at once, done, and told.

import { $, write } from './rows.js'
import { post } from './server.js'
import { number } from './words.js'

let after = () => {}

// What to call when something was done.
export function whenDone(refresh) {
  after = refresh
}

let quiet = 0

export function tell(text, bad = false) {
  write($('told'), text, bad ? 'told bad' : 'told')
  $('told').hidden = false
  clearTimeout(quiet)
  quiet = setTimeout(() => { $('told').hidden = true }, bad ? 15000 : 5000)
}

export async function act(deed, done) {
  try {
    const answer = await deed()
    tell(typeof done === 'function' ? done(answer) : done)
  } catch (error) {
    // Of a request without an answer nobody knows whether it was done; of those before it we do.
    const unknown = error.before ? 'the enqueuer no longer answers; of the rest nothing is known.' : 'The enqueuer does not answer: nothing is known to have been done.'
    tell(`${error.before ?? ''}${error.status ? error.message : unknown}`, true)
  }
  after()
}

// Not a submit button: those of its form are pressed by Enter in a field, the first one that stands there.
$('ask-no').addEventListener('click', () => $('ask').close('no'))

// Asks in words; answers whether to go on.
export function question(title, text, yes, fields = false) {
  const dialog = $('ask')
  write($('ask-title'), title)
  write($('ask-text'), text)
  write($('ask-yes'), yes)
  $('ask-fields').hidden = !fields
  for (const id of ['ask-reason', 'ask-for']) $(id).value = ''
  dialog.returnValue = 'no'
  dialog.showModal()
  return new Promise((answer) => dialog.addEventListener('close', () => answer(dialog.returnValue === 'yes'), { once: true }))
}

const lanePath = (lane, deed) => `/api/lanes/${encodeURIComponent(lane)}/${deed}`

export const openLane = (lane) => act(() => post(lanePath(lane, 'open')), `Lane ${lane} is open; it starts slowly.`)

export async function closeLane(lane) {
  const text = lane === 'local'
    ? 'Its jobs wait until it opens. Those that run end as they would.'
    : 'Nothing is asked of the provider until it opens. Calls in flight end as they would, and readers get what there is.'
  if (!(await question(`Close lane ${lane}?`, text, 'Close it', true))) return
  const closing = { reason: $('ask-reason').value.trim() || 'operator' }
  if ($('ask-for').value.trim()) closing.for = $('ask-for').value.trim()
  await act(() => post(lanePath(lane, 'close'), closing), `Lane ${lane} is closed.`)
}

const jobPath = (job, deed) => `/api/jobs/${encodeURIComponent(job.id)}/${deed}`

export const retryJob = (job) => act(() => post(jobPath(job, 'retry')), 'The job waits again.')

export const cancelJob = (job) =>
  act(() => post(jobPath(job, 'cancel')), (now) => (now.status === 'running' ? 'The job was asked to stop.' : 'The job is cancelled.'))

// All that match, not only those that are shown.
export async function manyJobs(deed, filter, which) {
  if (rounds) return tell('The last deed for many jobs is not over yet.', true)
  const text = `This takes every job that is ${which}, not only those that are shown.`
  const title = deed === 'retry' ? 'Retry them all?' : 'Cancel them all?'
  if (!(await question(title, text, deed === 'retry' ? 'Retry them' : 'Cancel them'))) return
  rounds = { goOn: true }
  const words = deed === 'retry' ? retried : cancelled
  const done = (sum) => `${words(sum)}${sum.isLeft ? ' The others stay as they are.' : ''}`
  await act(() => inRounds(`/api/jobs/${deed}`, filter, words, rounds), done)
  rounds = null
}

const jobs = (count, one, many) => `${number(count)} ${count === 1 ? `job ${one}` : `jobs ${many}`}`

function retried(sum) {
  if (sum.matched === 0) return 'No job matches any more.'
  const left = sum.already_waiting ? ` ${jobs(sum.already_waiting, 'stays', 'stay')} ended: another for the same resource waits.` : ''
  return `${jobs(sum.retried, 'waits', 'wait')} again.${left}`
}

function cancelled(sum) {
  if (sum.matched === 0) return 'No job matches any more.'
  const asked = sum.cancel_requested ? ` ${jobs(sum.cancel_requested, 'was', 'were')} asked to stop.` : ''
  return `${jobs(sum.cancelled, 'is', 'are')} cancelled.${asked}`
}

// Jobs in one request: few enough that it is over in a second or two.
const ROUND = 2000
const PATIENCE = 60000
// The deed for many that is going on.
let rounds = null

// Whoever leaves does nothing more.
export function stopRounds() {
  if (rounds) rounds.goOn = false
}

// A hundred thousand jobs take longer than one request may: round by round, each behind the one before, and each is told.
async function inRounds(path, filter, words, mine) {
  const sum = { matched: 0, retried: 0, already_waiting: 0, cancelled: 0, cancel_requested: 0 }
  let cursor
  try {
    do {
      if (cursor) tell(`${words(sum)} More follow…`)
      const round = await post(path, { ...filter, limit: ROUND, cursor }, PATIENCE)
      for (const part of Object.keys(sum)) sum[part] += round[part] ?? 0
      cursor = round.next
    } while (cursor && mine.goOn)
  } catch (error) {
    error.before = sum.matched ? `${words(sum)} Then: ` : ''
    throw error
  }
  return { ...sum, isLeft: Boolean(cursor) }
}
