// Bars and charts of limits, drawn as SVG. Nothing here asks the server, and no text becomes HTML.

import { edge, number } from './words.js'

const space = 'http://www.w3.org/2000/svg'

function shape(name, attributes, ...children) {
  const made = document.createElementNS(space, name)
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value)
  made.append(...children)
  return made
}

const flat = (words, className, width, height) =>
  shape('svg', { class: className, viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': words },
    shape('title', {}, words))

// The share of its window that is over: 0 to 1; null for a window that moves.
export function evenShare(limit, now) {
  if (!limit.starts_at || !limit.resets_at) return null
  const [start, end] = [Date.parse(limit.starts_at), Date.parse(limit.resets_at)]
  return end > start ? Math.min(Math.max((now - start) / (end - start), 0), 1) : null
}

const known = (value) => value !== null && value !== undefined

// A limit as one bar: ours, others', reserved; from the right what is kept for readers; marks for pace and projection.
export function bar(limit, now, words) {
  const width = 1000
  const scale = width / Math.max(limit.cap, 1)
  const svg = flat(words, 'bar', width, 20)
  svg.append(shape('rect', { class: 'ground', x: 0, y: 4, width, height: 12 }))
  let left = 0
  for (const part of ['spent', 'foreign', 'reserved']) {
    const size = Math.min(limit[part] * scale, width - left)
    if (size > 0) svg.append(shape('rect', { class: part, x: left, y: 4, width: Math.max(size, 3), height: 12 }))
    left += Math.max(size, 0)
  }
  const kept = Math.min(limit.kept * scale, width - left)
  if (kept > 0) svg.append(shape('rect', { class: 'kept', x: width - kept, y: 4, width: kept, height: 12 }))
  const mark = (x, name) => svg.append(shape('line', { class: name, x1: x, x2: x, y1: 0, y2: 20 }))
  const even = evenShare(limit, now)
  if (even !== null) mark(even * width, 'even-mark')
  if (known(limit.projected)) mark(Math.min(limit.projected * scale, width - 2), 'projection-mark')
  return svg
}

// How a window has filled so far, against the even pace, and where it leads. `width` is in pixels.
export function chart(limit, points, now, width, words) {
  const [height, foot, head] = [170, 18, 14]
  const [start, end] = [Date.parse(limit.starts_at), Date.parse(limit.resets_at)]
  const top = Math.max(limit.cap, limit.projected ?? 0, 1)
  const x = (at) => ((at - start) / (end - start)) * width
  const y = (value) => height - foot - (value / top) * (height - foot - head)
  const line = (name, x1, y1, x2, y2) => shape('line', { class: name, x1, y1, x2, y2 })
  const text = (name, tx, ty, anchor, words) => shape('text', { class: name, x: tx, y: ty, 'text-anchor': anchor }, words)
  const svg = shape('svg', { class: 'chart', viewBox: `0 0 ${width} ${height}`, width, height, role: 'img', 'aria-label': words },
    shape('title', {}, words))
  for (const part of [0, 0.25, 0.5, 0.75]) svg.append(line('grid', 0, y(limit.cap * part), width, y(limit.cap * part)))
  svg.append(line('cap', 0, y(limit.cap), width, y(limit.cap)))
  svg.append(text('cap-label', 2, y(limit.cap) - 4, 'start', `cap ${number(limit.cap)} ${limit.unit}`))
  svg.append(line('even', 0, y(0), width, y(limit.cap)))
  const taken = limit.spent + limit.reserved + limit.foreign
  if (points.length > 0) {
    // What others took is known as a sum only, so the curve ends where all of it does.
    const curve = [[0, y(0)], ...points.map((point) => [x(Date.parse(point.at)), y(point.spent)])]
    curve[curve.length - 1] = [x(now), y(taken)]
    const path = curve.map(([a, b]) => `${a.toFixed(1)},${b.toFixed(1)}`).join(' L')
    svg.append(shape('path', { class: 'area', d: `M${path} L${x(now).toFixed(1)},${y(0)} L0,${y(0)} Z` }))
    svg.append(shape('path', { class: 'curve', d: `M${path}` }))
  }
  if (known(limit.projected)) {
    const late = Math.min(x(now), width)
    svg.append(line('projection', late, y(taken), width, y(limit.projected)))
    const above = y(limit.projected) > head + 16 ? y(limit.projected) - 7 : y(limit.projected) + 24
    svg.append(text('projection-label', width - 2, above, 'end', `→ ${number(limit.projected)}`))
  }
  svg.append(line('now', x(now), head, x(now), height - foot))
  svg.append(shape('circle', { class: 'tip', cx: x(now), cy: y(taken), r: 3.5 }))
  svg.append(text('axis', 0, height - 4, 'start', edge(start, end - start)), text('axis', width, height - 4, 'end', edge(end, end - start)))
  if (x(now) > 60 && x(now) < width - 60) svg.append(text('axis', x(now), height - 4, 'middle', 'now'))
  return svg
}

// An age as a short bar against what it may be.
export function ageBar(share, className) {
  const svg = shape('svg', { class: 'age', viewBox: '0 0 100 10', preserveAspectRatio: 'none', 'aria-hidden': 'true' })
  svg.append(shape('rect', { class: 'ground', x: 0, y: 0, width: 100, height: 10 }))
  svg.append(shape('rect', { class: className, x: 0, y: 0, width: Math.min(Math.max(share, 0), 1) * 100, height: 10 }))
  return svg
}
