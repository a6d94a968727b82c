// coinmarketcap-api (npm) against the sandbox and against Larder, the same but for `client.url`.
//
// The answers must be equal, apart from times and credits. Prints both where they differ, and ends with 1 then.
// Run by scripts/check-clients.
'use strict'

const assert = require('node:assert')
const CoinMarketCap = require('coinmarketcap-api')

const NOT_COMPARED = new Set(['timestamp', 'elapsed', 'credit_count'])

const client = (base, key) => {
  const made = new CoinMarketCap(key)
  made.url = `${base}/v1`
  return made
}

const QUESTIONS = [
  ['map', cmc => cmc.getIdMap({ limit: 5 })],
  ['map of symbols', cmc => cmc.getIdMap({ symbol: ['BTC', 'ETH'] })],
  ['metadata', cmc => cmc.getMetadata({ id: [1, 1027] })],
  ['listings', cmc => cmc.getTickers({ limit: 3, convert: ['EUR'] })],
  ['quotes by id', cmc => cmc.getQuotes({ id: ['1', '1027'] })],
  ['quotes by symbol', cmc => cmc.getQuotes({ symbol: 'BTC,ETH' })],
  ['quotes in USD and EUR', cmc => cmc.getQuotes({ id: 1, convert: ['USD', 'EUR'] })],
  ['global metrics', cmc => cmc.getGlobal('eur')]
]

const plain = value => {
  if (Array.isArray(value)) return value.map(plain)
  if (value === null || typeof value !== 'object') return value
  const kept = Object.entries(value).filter(([name]) => !NOT_COMPARED.has(name))
  return Object.fromEntries(kept.map(([name, inner]) => [name, plain(inner)]))
}

const isSame = (ours, theirs) => {
  try {
    assert.deepStrictEqual(ours, theirs)
    return true
  } catch {
    return false
  }
}

const report = (name, ours, theirs) => {
  const same = isSame(ours, theirs)
  console.log(`${same ? 'same   ' : 'DIFFERS'} ${name}`)
  if (!same) console.log(`        larder   ${JSON.stringify(ours)}\n        sandbox  ${JSON.stringify(theirs)}`)
  return same ? 0 : 1
}

const main = async () => {
  const through = client(`${process.env.LARDER_URL}/proxy/coinmarketcap`, process.env.READ_API_SECRET)
  const direct = client(process.env.SANDBOX_URL, 'sandbox-key')
  // The sandbox's prices move with each full minute: stay within one.
  const left = 60_000 - (Date.now() % 60_000)
  if (left < 20_000) await new Promise(resolve => setTimeout(resolve, left + 100))
  let failures = 0
  for (const [name, ask] of QUESTIONS) {
    const [ours, theirs] = [await ask(through), await ask(direct)]
    failures += report(name, plain(ours), plain(theirs))
    failures += report(`${name}: an error code of 0`, ours.status.error_code, 0)
    failures += report(`${name}: no credit`, ours.status.credit_count, 0)
  }
  const wrong = await client(`${process.env.LARDER_URL}/proxy/coinmarketcap`, 'wrong-key-0123456789').getGlobal()
  failures += report('a wrong key', wrong.status.error_code, 401)
  return failures
}

main().then(failures => process.exit(failures ? 1 : 0), error => { console.error(error); process.exit(1) })
