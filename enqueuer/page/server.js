// Asks the API. The secret stands in this tab's session storage and goes into the Authorization header, nowhere else.

const KEY = 'larder-secret'
let offset = 0

// An answer that is no success, with the server's own words.
export class Refused extends Error {
  constructor(status, text) {
    super(text)
    this.status = status
  }
}

export const secret = {
  known: () => sessionStorage.getItem(KEY) !== null,
  keep: (value) => sessionStorage.setItem(KEY, value),
  forget: () => sessionStorage.removeItem(KEY),
}

// One request; throws Refused, or a TypeError if nobody answers. `patience` is in milliseconds.
export async function ask(path, { patience = 15000, ...options } = {}) {
  const answer = await fetch(path, {
    ...options,
    headers: {
      authorization: `Bearer ${sessionStorage.getItem(KEY)}`,
      ...(options.body ? { 'content-type': 'application/json' } : {}),
    },
    cache: 'no-store',
    credentials: 'omit',
    redirect: 'error',
    signal: AbortSignal.timeout(patience),
  })
  const body = answer.status === 204 ? null : await answer.json().catch(() => null)
  if (!answer.ok) throw new Refused(answer.status, body?.detail ?? body?.title ?? `status ${answer.status}`)
  const date = Date.parse(answer.headers.get('date') ?? '')
  // Moments are by the server's clock; this machine's may be wrong.
  if (!Number.isNaN(date)) offset = Math.abs(date - Date.now()) > 2000 ? date - Date.now() : 0
  return body
}

export const post = (path, body, patience) => ask(path, { method: 'POST', ...(body ? { body: JSON.stringify(body) } : {}), patience })

export const now = () => Date.now() + offset

// A path with those parameters that say something.
export function query(path, parameters) {
  const said = Object.entries(parameters).filter(([, value]) => value !== '' && value !== null && value !== undefined)
  return said.length ? `${path}?${new URLSearchParams(said)}` : path
}
