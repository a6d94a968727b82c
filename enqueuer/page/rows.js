// What the page is made of. Elements are kept and changed in place, so that the focus, a selection and an opened
// detail stay where they are; and text is only ever text.

export const $ = (id) => document.getElementById(id)

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) {
    if (key === 'onclick') made.addEventListener('click', value)
    else made.setAttribute(key, value)
  }
  made.append(...children)
  return made
}

export function write(target, text, className) {
  if (target.textContent !== String(text)) target.textContent = text
  if (className !== undefined && target.className !== className) target.className = className
}

// Brings the children of `parent` in line with `items`: each is made once, then changed.
export function keep(parent, items, key, make, change = () => {}) {
  const there = new Map([...parent.children].map((child) => [child.dataset.key, child]))
  const wanted = new Set(items.map((item) => String(key(item))))
  const focused = [...parent.children].findIndex((child) => child.contains(document.activeElement))
  const lost = focused >= 0 && !wanted.has(parent.children[focused].dataset.key)
  for (const [name, child] of there) if (!wanted.has(name)) child.remove()
  let place = parent.firstElementChild
  for (const item of items) {
    const name = String(key(item))
    let child = there.get(name)
    if (!child) {
      child = make(item)
      child.dataset.key = name
    }
    if (child === place) place = place.nextElementSibling
    else parent.insertBefore(child, place)
    change(child, item)
  }
  if (lost) refocus(parent, focused)
}

// The focus was in a row that is gone: it goes to the one that took its place, or to what holds the rows.
function refocus(parent, place) {
  const row = parent.children[Math.min(place, parent.children.length - 1)]
  const target = row?.querySelector('button, summary') ?? parent.closest('.box')
  if (!target) return
  if (target.matches('.box')) target.tabIndex = -1
  target.focus()
}

// A maker of rows: a cell for each column, which a phone shows beside the column's name.
export const cells = (columns) => () =>
  element('tr', {}, ...columns.map(([label, className]) => element('td', { class: className, 'data-label': label })))

// Pages of a list that the server cuts: forward by its cursor, back by those that were used.
export class Pages {
  constructor(name, changed) {
    this.before = []
    this.cursor = null
    this.next = null
    this.changed = changed
    this.back = element('button', { type: 'button', 'aria-label': `Newer page of ${name}`, onclick: () => this.turn(-1) }, '←')
    this.forth = element('button', { type: 'button', 'aria-label': `Further page of ${name}`, onclick: () => this.turn(1) }, '→')
    this.where = element('span', { class: 'quiet' })
    $(`${name}-pages`).append(this.back, this.where, this.forth)
  }

  first() {
    this.before = []
    this.cursor = null
  }

  turn(way) {
    if (way > 0) {
      this.before.push(this.cursor)
      this.cursor = this.next
    } else this.cursor = this.before.pop() ?? null
    this.changed()
  }

  // After a page came: how many rows it has, and where it leads.
  show(rows, next) {
    this.next = next
    this.back.disabled = this.before.length === 0
    this.forth.disabled = !next
    write(this.where, this.before.length || next ? `page ${this.before.length + 1}` : `${rows} shown`)
  }

  get query() {
    return this.cursor ? { cursor: this.cursor } : {}
  }
}
