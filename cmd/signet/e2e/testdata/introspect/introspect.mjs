// A resource server that has signed answers about tokens (RFC 9701), with oauth4webapi:
//
//   node introspect.mjs ISSUER CLIENT SECRET AUDIENCE TOKEN...
//
// It prints one line of JSON for each token: what the issuer signed of it, and what becomes of that
// signed answer where it is presented as an access token.
import * as oauth from 'oauth4webapi'

const [issuer, client_id, secret, audience, ...tokens] = process.argv.slice(2)
const plainHTTP = { [oauth.allowInsecureRequests]: true }
const url = new URL(issuer)
const as = await oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, { algorithm: 'oauth2', ...plainHTTP }))
const client = { client_id }

async function asAccessToken(jwt) {
  const request = new Request('https://orders.example.com/', { headers: { authorization: `Bearer ${jwt}` } })
  try {
    await oauth.validateJwtAccessToken(as, request, audience, plainHTTP)
    return 'accepted'
  } catch (error) {
    return error.message
  }
}

for (const token of tokens) {
  const response = await oauth.introspectionRequest(as, client, oauth.ClientSecretBasic(secret), token, { requestJwtResponse: true, ...plainHTTP })
  const jwt = await response.clone().text()
  const answer = await oauth.processIntrospectionResponse(as, client, response) // typ, alg, iss and aud
  await oauth.validateApplicationLevelSignature(as, response, plainHTTP)
  console.log(JSON.stringify({ answer, jwt, asAccessToken: await asAccessToken(jwt) }))
}
