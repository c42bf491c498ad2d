// Does with oauth4webapi what an app with a key of its own does, and prints what came of each step.
import { readFileSync } from 'node:fs'
import * as oauth from 'oauth4webapi'

const [issuer, client_id, keyFile, kid, alg, username, password] = process.argv.slice(2)
const algorithms = {
  ES256: { name: 'ECDSA', namedCurve: 'P-256' },
  Ed25519: { name: 'Ed25519' },
  RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
  PS256: { name: 'RSA-PSS', hash: 'SHA-256' },
}
const der = Buffer.from(readFileSync(keyFile, 'utf8').replace(/-----[A-Z ]+-----|\s/g, ''), 'base64')
const key = await crypto.subtle.importKey('pkcs8', der, algorithms[alg], false, ['sign'])
const auth = oauth.PrivateKeyJwt(kid ? { key, kid } : key)
const client = { client_id }
const plain = { [oauth.allowInsecureRequests]: true }
const say = (step, value) => console.log(JSON.stringify({ step, ...value }))

const where = new URL(issuer)
const server = await oauth.processDiscoveryResponse(where, await oauth.discoveryRequest(where, { algorithm: 'oauth2', ...plain }))
say('discovery', { methods: server.token_endpoint_auth_methods_supported })

const own = await oauth.clientCredentialsGrantRequest(server, client, auth, { scope: 'orders:read' }, plain)
say('client_credentials', await oauth.processClientCredentialsResponse(server, client, own))

const login = await oauth.genericTokenEndpointRequest(server, client, auth, 'password', { username, password }, plain)
const session = await oauth.processGenericTokenEndpointResponse(server, client, login)
say('password', session)

const refreshed = await oauth.refreshTokenGrantRequest(server, client, auth, session.refresh_token, plain)
const next = await oauth.processRefreshTokenResponse(server, client, refreshed)
say('refresh_token', next)

const asked = await oauth.introspectionRequest(server, client, auth, next.access_token, plain)
say('introspection', await oauth.processIntrospectionResponse(server, client, asked))

await oauth.processRevocationResponse(await oauth.revocationRequest(server, client, auth, next.refresh_token, plain))
const again = await oauth.introspectionRequest(server, client, auth, next.access_token, plain)
say('revocation', await oauth.processIntrospectionResponse(server, client, again))
