// Numbers and moments as people read them.

const missing = (value) => value === null || value === undefined

export const number = (value) => (missing(value) ? '–' : Number(value).toLocaleString('en'))

export function few(value) {
  if (missing(value)) return '–'
  if (value !== 0 && Math.abs(value) < 0.001) return '< 0.001'
  return Number(value).toLocaleString('en', { maximumSignificantDigits: 3 })
}

export const percent = (share) => (missing(share) ? '–' : `${Math.round(share * 100)} %`)

export function span(seconds) {
  if (missing(seconds)) return '–'
  const s = Math.max(0, seconds)
  if (s < 1) return `${Math.round(s * 1000)} ms`
  if (s < 90 && s !== 60) return `${Math.round(s)} s`
  if (s < 5400) return `${Math.round(s / 60)} min`
  if (s < 172800) return `${(s / 3600).toFixed(s < 36000 ? 1 : 0)} h`
  return `${Math.round(s / 86400)} d`
}

// "in 5 min", "2 h ago".
export function relative(moment, now) {
  if (!moment) return '–'
  const seconds = (Date.parse(moment) - now) / 1000
  if (Math.abs(seconds) < 1) return 'now'
  return seconds > 0 ? `in ${span(seconds)}` : `${span(-seconds)} ago`
}

export const exact = (moment) => (moment ? new Date(moment).toLocaleString('en-GB', { timeZoneName: 'short' }) : '')

export const clock = (milliseconds) => new Date(milliseconds).toLocaleTimeString('en-GB')

// A moment at the edge of a chart: as much of it as the length of the window needs.
export function edge(milliseconds, length) {
  const date = new Date(milliseconds)
  if (length <= 2 * 86400000) return date.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' })
  return date.toLocaleDateString('en-GB', { day: 'numeric', month: 'short' })
}
