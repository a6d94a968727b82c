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

// Asks in words; answers whether to go on.
export function question(title, text, yes, fields = false) {
  const dialog = $('ask')
  write($('ask-title'), title)
  write($('ask-text'), text)
  write($('ask-yes'), yes)
  $('ask-fields').hidden = !fields
  $('ask-for').value = ''
  dialog.returnValue = 'no'
  dialog.showModal()
  return new Promise((answer) => dialog.addEventListener('close', () => answer(dialog.returnValue === 'yes'), { once: true }))
}

const lanePath = (lane, deed) => `/api/lanes/${encodeURIComponent(lane)}/${deed}`

export const openLane = (lane) => act(() => post(lanePath(lane, 'open')), `Lane ${lane} is open; it starts slowly.`)

export async function closeLane(lane) {
  const text = 'Nothing is asked of the provider until it opens. Calls in flight end as they would, and readers get what there is.'
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
  await act(() => post(`/api/jobs/${deed}`, filter), (told) =>
    deed === 'retry' ? `${told.retried} jobs wait again.` : `${told.cancelled} jobs are cancelled, ${told.cancel_requested} were asked to stop.`)
}
