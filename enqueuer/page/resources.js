// Resources: how old against what they may be, how often refreshed and why. The server searches, sorts and cuts pages,
// since there may be a million.

import { ageBar } from './charts.js'
import { $, Pages, cells, element, keep, write } from './rows.js'
import { ask, now, query } from './server.js'
import { exact, few, percent, relative, span } from './words.js'

const ROWS = 25
const COLUMNS = [['Resource', 'key'], ['Age', 'number age-cell'], ['Of bound', 'number'], ['Interval', 'when'], ['Reads/s', 'number'], ['Credits a day', 'number'], ['Next refresh', 'when']]
let sort = 'key'
let reverse = ''
let pages
// A search over a million takes its time: it is asked for again only after ten times as long.
let due = 0
let asking = null

export function startResources(changed) {
  const again = () => {
    pages.first()
    due = 0
    changed()
  }
  pages = new Pages('resources', () => {
    due = 0
    changed()
  })
  for (const heading of $('resource-sorts').children) {
    const button = heading.querySelector('button')
    const ways = ['ascending', 'descending']
    button.addEventListener('click', () => {
      // What is sorted by this column already is turned round; each column begins with what needs a look.
      reverse = sort === button.dataset.sort && !reverse ? 'true' : ''
      sort = button.dataset.sort
      for (const other of $('resource-sorts').children) other.removeAttribute('aria-sort')
      heading.setAttribute('aria-sort', ways.find((way) => (way === button.dataset.way) !== (reverse !== '')))
      again()
    })
  }
  $('tracked').addEventListener('change', again)
  let pause = 0
  $('search').addEventListener('input', () => {
    clearTimeout(pause)
    pause = setTimeout(again, 300)
  })
}

// The page that is wanted now, or nothing if it is not time, or if somebody wants another one meanwhile.
export function readResources() {
  const asked = query('/api/resources', { search: $('search').value.trim(), tracked: $('tracked').value, sort, reverse, limit: ROWS, ...pages.query })
  if (performance.now() < due || asked === asking) return null
  asking = asked
  const begun = performance.now()
  return ask(asked)
    .then((page) => (asking === asked ? page : null))
    .finally(() => {
      if (asking !== asked) return
      asking = null
      due = performance.now() + 10 * (performance.now() - begun)
    })
}

export function forgetResources() {
  asking = null
  due = 0
}

export function showResources(page) {
  keep($('resource-rows'), page.resources, (it) => it.resource, cells(COLUMNS), changeResource)
  $('no-resources').hidden = page.resources.length > 0
  pages.show(page.resources.length, page.next)
}

function changeResource(row, resource) {
  const [key, age, bound, interval, reads, cost, next] = row.children
  if (!key.firstChild) {
    key.append(element('details', {}, element('summary', {}, resource.resource), element('p', { class: 'why' })))
  }
  const failures = resource.failures ? ` Refreshes that failed since its last answer: ${resource.failures}.` : ''
  write(key.querySelector('.why'), `${resource.group ? `Group ${resource.group}. ` : ''}${sentence(resource.why)}${failures}`)
  const limit = resource.kept_age_secs ?? resource.max_age_secs
  const share = limit && resource.age_secs !== null ? resource.age_secs / limit : null
  const past = share !== null && share > 1
  const grade = resource.age_secs === null || past ? 'bad' : resource.is_fresh ? 'good' : 'warn'
  const words = resource.age_secs === null ? 'missing' : span(resource.age_secs)
  if (age.dataset.words !== words + grade) {
    age.dataset.words = words + grade
    const against = share ?? (resource.every_secs ? (resource.age_secs ?? 0) / resource.every_secs : 0)
    age.replaceChildren(ageBar(resource.age_secs === null ? 1 : against, grade), element('span', { class: grade }, words))
    age.title = resource.fetched_at ? `fetched ${exact(resource.fetched_at)}` : 'never fetched'
  }
  write(bound, limit ? `${percent(share)} of ${span(limit)}` : '–', past ? 'number bad' : 'number')
  write(interval, resource.schedule ? `${resource.schedule}${resource.zone ? ` ${resource.zone}` : ''}` : span(resource.every_secs))
  interval.title = resource.planned ? 'paced by the planner' : ''
  write(reads, few(resource.recent_reads_per_second))
  write(cost, few(resource.credits_a_day))
  write(next, resource.tracked ? relative(resource.next_refresh_at, now()) : 'when read')
  next.title = exact(resource.next_refresh_at)
}

const sentence = (text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`
