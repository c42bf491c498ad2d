// Verifies one token a line with jose, and answers a line: ok, or what is wrong.
import { createInterface } from 'node:readline'
import { createRemoteJWKSet, jwtVerify } from 'jose'

const [url, issuer, audience, cacheMaxAge] = process.argv.slice(2)
// The cooldown keeps jose from fetching for an unknown kid: the key has to be there before.
const keySet = createRemoteJWKSet(new URL(url), { cacheMaxAge: Number(cacheMaxAge), cooldownDuration: 3_600_000 })
const rules = { issuer, audience, typ: 'at+jwt', algorithms: ['ES256'], clockTolerance: 1 }

for await (const token of createInterface({ input: process.stdin })) {
  try {
    await jwtVerify(token, keySet, rules)
    console.log('ok')
  } catch (error) {
    console.log(`${error.code ?? error.name}: ${error.message}`)
  }
}
