// Jobs by status: why they wait, what each attempt met, and what can be done about it.

import { cancelJob, manyJobs, retryJob } from './deeds.js'
import { $, Pages, cells, element, keep, write } from './rows.js'
import { ask, now, query } from './server.js'
import { exact, relative } from './words.js'

const ROWS = 20
const COLUMNS = [['Job', 'key'], ['State', 'state'], ['Attempts', 'number'], ['Since', 'when'], ['What attempts met', 'errors'], ['', 'deeds']]
let status = 'pending'
let pages

export function startJobs(changed) {
  pages = new Pages('jobs', changed)
  const again = () => {
    pages.first()
    changed()
  }
  for (const button of $('statuses').children) {
    button.addEventListener('click', () => {
      status = button.dataset.status
      for (const other of $('statuses').children) other.setAttribute('aria-pressed', other === button)
      // What it does for the others, and whether there are any, is known when they are shown.
      $('all-jobs').hidden = true
      again()
    })
  }
  $('job-lane').addEventListener('change', again)
  let pause = 0
  $('job-kind').addEventListener('input', () => {
    clearTimeout(pause)
    pause = setTimeout(again, 300)
  })
  $('all-jobs').addEventListener('click', () => manyJobs(deed(), filter(), words()))
}

const filter = () => {
  const chosen = { status }
  if ($('job-lane').value) chosen.lane = $('job-lane').value
  if ($('job-kind').value.trim()) chosen.kind = $('job-kind').value.trim()
  return chosen
}

const deed = () => ({ failed: 'retry', cancelled: 'retry', pending: 'cancel', running: 'cancel' })[status]

function words() {
  const { lane, kind } = filter()
  const named = { pending: 'waiting', failed: 'failed', cancelled: 'cancelled', running: 'running' }[status]
  return `${named}${lane ? `, of lane ${lane}` : ''}${kind ? `, of kind ${kind}` : ''}`
}

export const readJobs = () => ask(query('/api/jobs', { ...filter(), limit: ROWS, ...pages.query }))

export function showJobs(page) {
  // They went while somebody looked at a later page.
  if (page.jobs.length === 0 && pages.query.cursor) {
    pages.first()
    return pages.changed()
  }
  keep($('job-rows'), page.jobs, (job) => job.id, cells(COLUMNS), changeJob)
  $('no-jobs').hidden = page.jobs.length > 0
  pages.show(page.jobs.length, page.next)
  $('all-jobs').hidden = !deed() || page.jobs.length === 0
  if (deed()) write($('all-jobs'), `${deed() === 'retry' ? 'Retry' : 'Cancel'} all that match…`)
}

const jobName = (job) => job.resource ?? (job.kind === 'refresh' ? job.id : `${job.kind} ${JSON.stringify(job.args)}`)

function state(job) {
  if (job.cancel_requested) return ['asked to stop', 'state warn']
  if (job.status === 'pending') {
    const when = relative(job.run_at, now())
    return {
      due: ['due', 'state good'],
      scheduled: [`waits for its time, ${when}`, 'state'],
      retry: [`waits for its next attempt, ${when}`, 'state warn'],
      lane_closed: ['waits: its lane is closed', 'state warn'],
    }[job.waiting] ?? [job.waiting ?? 'pending', 'state']
  }
  return [job.status, { failed: 'state bad', completed: 'state good', running: 'state running' }[job.status] ?? 'state']
}

function changeJob(row, job) {
  const [name, how, attempts, made, errors, deeds] = row.children
  write(name, jobName(job))
  name.title = `job ${job.id}, priority ${job.priority}`
  write(how, ...state(job))
  write(attempts, `${job.attempt} of ${job.max_attempts}${job.rescues ? `, ${job.rescues} rescues` : ''}`)
  write(made, relative(job.completed_at ?? job.started_at ?? job.created_at, now()))
  made.title = ['created', 'started', 'completed'].filter((it) => job[`${it}_at`]).map((it) => `${it} ${exact(job[`${it}_at`])}`).join('\n')
  changeErrors(errors, Array.isArray(job.errors) ? job.errors : [])
  changeDeeds(deeds, job)
}

function changeErrors(cell, errors) {
  if (cell.dataset.count === String(errors.length)) return
  cell.dataset.count = errors.length
  if (errors.length === 0) return write(cell, '–')
  const text = (error) => error.error ?? JSON.stringify(error)
  const items = errors.map((error) =>
    element('li', {}, element('span', { class: 'quiet' }, `attempt ${error.attempt ?? '?'}, ${exact(error.at)} `), text(error)))
  const last = element('summary', {}, text(errors[errors.length - 1]))
  cell.replaceChildren(element('details', {}, last, element('ol', {}, ...items)))
}

function changeDeeds(cell, job) {
  const wanted = job.status === 'failed' || job.status === 'cancelled' ? 'Retry'
    : job.status === 'pending' || (job.status === 'running' && !job.cancel_requested) ? 'Cancel' : ''
  if (cell.dataset.wanted === wanted) return
  cell.dataset.wanted = wanted
  if (!wanted) return cell.replaceChildren()
  const doIt = () => (wanted === 'Retry' ? retryJob(job) : cancelJob(job))
  cell.replaceChildren(element('button', { type: 'button', 'aria-label': `${wanted} ${jobName(job)}`, onclick: doIt }, wanted))
}
