// What an operator does: each deed is asked about where it takes much at once, done, and told.

import { $, write } from './rows.js'
import { post } from './server.js'

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
    tell(error.status ? error.message : 'The enqueuer does not answer: nothing is known to have been done.', true)
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
export async function manyJobs(deed, filter, words) {
  const text = `This takes every job that is ${words}, not only those that are shown.`
  const title = deed === 'retry' ? 'Retry them all?' : 'Cancel them all?'
  if (!(await question(title, text, deed === 'retry' ? 'Retry them' : 'Cancel them'))) return
  const done = (told) =>
    deed === 'retry' ? `${told.retried} jobs wait again.` : `${told.cancelled} jobs are cancelled, ${told.cancel_requested} were asked to stop.`
  await act(() => inRounds(`/api/jobs/${deed}`, filter, done), done)
}

// Jobs in one request: few enough that it is over in a second or two.
const ROUND = 2000
const PATIENCE = 60000

// A hundred thousand jobs take longer than one request may: round by round, and each is told.
async function inRounds(path, filter, words) {
  const sum = { retried: 0, cancelled: 0, cancel_requested: 0 }
  let limit = ROUND
  for (;;) {
    const round = await post(path, limit ? { ...filter, limit } : filter, PATIENCE)
    const moved = (round.retried ?? 0) + (round.cancelled ?? 0)
    sum.retried += round.retried ?? 0
    sum.cancelled += round.cancelled ?? 0
    // These still match in the next round.
    sum.cancel_requested = Math.max(sum.cancel_requested, round.cancel_requested ?? 0)
    if (!limit || round.matched < limit) return sum
    tell(`${words(sum)} More follow…`)
    // What stands first stays as it is, and would again: the rest is asked for at once.
    if (moved === 0) limit = null
  }
}
