// A server-side app with Auth.js, here in Express: sign-in, refresh, sign-out here and in all apps. The client is confidential:
//
//   signet client create --id desk --grant authorization_code,refresh_token --scope openid,profile,email \
//     --redirect-uri https://desk.example.com/auth/callback/signet --post-logout-uri https://desk.example.com/ \
//     --backchannel-logout-uri https://desk.example.com/backchannel-logout
import { Auth, skipCSRFCheck } from '@auth/core'
import { getToken } from '@auth/core/jwt'
import express from 'express'
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose'

const { ISSUER, CLIENT_ID, CLIENT_SECRET, ORIGIN, AUTH_SECRET } = process.env // ORIGIN is where browsers find this app

const server = await (await fetch(ISSUER + '/.well-known/openid-configuration')).json()
const keys = createRemoteJWKSet(new URL(server.jwks_uri))

const config = {
  basePath: '/auth',
  trustHost: true,
  secret: AUTH_SECRET,
  providers: [{
    id: 'signet', name: 'Signet', type: 'oidc', issuer: ISSUER, clientId: CLIENT_ID, clientSecret: CLIENT_SECRET,
    checks: ['pkce', 'state', 'nonce'],
    idToken: false, // name and e-mail address are at /userinfo, and not in the id_token
  }],
  callbacks: {
    // jwt makes what is kept in the cookie, at a sign-in and whenever the session is read. null signs the user out.
    async jwt({ token, account, trigger }) {
      if (account) return keep({ ...token, sub: account.providerAccountId }, account)
      if (ended.has(token.sid)) return null
      return trigger === 'update' || token.expires < Date.now() + 30_000 ? refresh(token) : token
    },
    session({ session, token }) {
      const { sub, expires, tokens } = token
      return { ...session, user: { ...session.user, id: sub }, tokenExpires: expires, key: decodeProtectedHeader(tokens.id_token).kid }
    },
  },
}

// keep adds tokens to what is in the cookie. Auth.js trusts TLS for the id_token; this verifies the signature as well.
async function keep(token, { access_token, refresh_token, id_token, expires_in }) {
  const { payload } = await jwtVerify(id_token, keys, { issuer: ISSUER, audience: CLIENT_ID, requiredClaims: ['exp', 'sub', 'sid'] })
  return { ...token, sid: payload.sid, expires: Date.now() + 1000 * expires_in, tokens: { access_token, refresh_token, id_token } }
}

async function refresh(token) {
  const answer = await fetch(server.token_endpoint, {
    method: 'POST',
    headers: { authorization: 'Basic ' + btoa(`${encodeURIComponent(CLIENT_ID)}:${encodeURIComponent(CLIENT_SECRET)}`) },
    body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: token.tokens.refresh_token }),
  })
  if (answer.ok) return keep(token, await answer.json())
  const { error } = await answer.json()
  return error === 'invalid_grant' ? null : token // the session has ended; or Signet is busy, and the next request tries again
}

const app = express()
app.get('/style.css', (req, res) => res.sendFile(new URL('../style.css', import.meta.url).pathname))

// auth has Auth.js answer a request of the browser, by default the one that it has made.
function auth(req, { path = req.originalUrl, method = req.method, body, settings = config } = {}) {
  const headers = new Headers({ cookie: req.headers.cookie ?? '' })
  if (body) headers.set('content-type', typeof body === 'string' ? 'application/x-www-form-urlencoded' : 'application/json')
  return Auth(new Request(ORIGIN + path, { method, headers, body: typeof body === 'object' ? JSON.stringify(body) : body }), settings)
}

// copyCookies passes on the cookies of Auth.js: with each refresh there is another one.
function copyCookies(answer, res) {
  for (const cookie of answer.headers.getSetCookie()) res.append('Set-Cookie', cookie)
}

app.use('/auth', express.text({ type: 'application/x-www-form-urlencoded' }), async (req, res) => {
  const answer = await auth(req, { body: req.method === 'POST' ? req.body : undefined })
  answer.headers.forEach((value, name) => name === 'set-cookie' || res.set(name, value))
  copyCookies(answer, res)
  res.status(answer.status).send(Buffer.from(await answer.arrayBuffer()))
})

app.get('/', async (req, res) => {
  const answer = await auth(req, { path: '/auth/session' })
  copyCookies(answer, res)
  const session = await answer.json()
  res.send(page(session?.user ? signedIn(session) : signedOut))
})

// The cookies are SameSite=Lax, so a form of another site changes nothing here, and Auth.js need not check a token of the form.
const ownForm = { ...config, skipCSRFCheck }

// Where there is one provider, users need not choose: /auth/signin would ask.
app.post('/sign-in', async (req, res) => {
  const answer = await auth(req, { path: '/auth/signin/signet', body: 'callbackUrl=/', settings: ownForm })
  copyCookies(answer, res)
  res.redirect(303, answer.headers.get('location'))
})

app.post('/refresh', async (req, res) => {
  copyCookies(await auth(req, { path: '/auth/session', body: { data: {} }, settings: ownForm }), res)
  res.redirect(303, '/')
})

// Signing out ends the session of this app, then that of the browser at Signet, and with it those of all other apps.
app.post('/sign-out', async (req, res) => {
  const token = await getToken({ req: { headers: req.headers }, secret: AUTH_SECRET, secureCookie: ORIGIN.startsWith('https:') })
  copyCookies(await auth(req, { path: '/auth/signout', settings: ownForm }), res)
  const hint = token ? { id_token_hint: token.tokens.id_token } : {}
  res.redirect(303, server.end_session_endpoint + '?' + new URLSearchParams({ client_id: CLIENT_ID, post_logout_redirect_uri: ORIGIN + '/', ...hint }))
})

// ended has the sessions that have ended elsewhere. A session in a cookie cannot be found and deleted. Several processes share such a
// list in a database, and forget an entry after session.maxAge.
const ended = new Set()

// Signet calls this when the session has ended elsewhere (OpenID Connect Back-Channel Logout §2.5).
app.post('/backchannel-logout', express.urlencoded(), async (req, res) => {
  res.set('Cache-Control', 'no-store')
  try {
    ended.add(await readLogoutToken(req.body.logout_token))
    res.sendStatus(200)
  } catch (error) {
    res.status(400).json({ error: 'invalid_request', error_description: error.message })
  }
})

// readLogoutToken returns the session that has ended. typ keeps every other kind of token out.
async function readLogoutToken(token) {
  const { payload } = await jwtVerify(token, keys, { issuer: ISSUER, audience: CLIENT_ID, typ: 'logout+jwt', requiredClaims: ['exp', 'sid'] })
  if (!payload.events?.['http://schemas.openid.net/event/backchannel-logout']) throw new Error('logout_token: no back-channel logout')
  return payload.sid
}

const escape = text => String(text).replace(/[&<>"']/g, c => `&#${c.charCodeAt()};`)

const page = content => `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Desk</title><link rel="stylesheet" href="/style.css"><main><h1>Desk</h1>${content}</main></html>`

const signedOut = '<p>You are signed out.</p><form method="post" action="/sign-in"><button id="sign-in">Sign in</button></form>'

const signedIn = ({ user, tokenExpires, key }) => `<p>Signed in as <strong id="name">${escape(user.name)}</strong>.</p>
<dl>
<dt>User</dt><dd id="sub">${escape(user.id)}</dd>
<dt>Token expires</dt><dd id="expires">${new Date(tokenExpires).toLocaleTimeString()}</dd>
<dt>Signed with</dt><dd id="key">${escape(key)}</dd>
</dl>
<form method="post" action="/refresh"><button id="refresh">Refresh now</button></form>
<form method="post" action="/sign-out"><button id="sign-out">Sign out</button></form>`

app.listen(new URL(ORIGIN).port, '127.0.0.1', () => console.log(`ready at ${ORIGIN}`))
