// A server-side app with Express and openid-client: sign-in, refresh, sign-out here and in all apps. The client is confidential:
//
//   signet client create --id shop --grant authorization_code,refresh_token --scope openid,profile,email \
//     --redirect-uri https://shop.example.com/callback --post-logout-uri https://shop.example.com/ \
//     --backchannel-logout-uri https://shop.example.com/backchannel-logout
import express from 'express'
import session from 'express-session'
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose'
import * as oidc from 'openid-client'

const { ISSUER, CLIENT_ID, CLIENT_SECRET, ORIGIN, SESSION_SECRET } = process.env // ORIGIN is where browsers find this app
const local = ISSUER.startsWith('http://127.0.0.1')

const server = await oidc.discovery(new URL(ISSUER), CLIENT_ID, CLIENT_SECRET, undefined, {
  // The library trusts TLS for the id_token. With these checks it verifies the signature as well.
  execute: [oidc.enableNonRepudiationChecks, ...(local ? [oidc.allowInsecureRequests] : [])],
})
const keys = createRemoteJWKSet(new URL(server.serverMetadata().jwks_uri))

const sessions = new session.MemoryStore() // of one process; connect-redis and others are for several
const app = express()
app.get('/style.css', (req, res) => res.sendFile(new URL('../style.css', import.meta.url).pathname))
app.use(session({
  name: 'shop', secret: SESSION_SECRET, store: sessions, resave: false, saveUninitialized: false,
  cookie: { httpOnly: true, sameSite: 'lax', secure: !local },
}))

app.get('/', (req, res) => {
  const { user, tokens } = req.session
  res.send(page(user ? signedIn(user, tokens) : signedOut))
})

app.get('/sign-in', async (req, res) => {
  const login = { verifier: oidc.randomPKCECodeVerifier(), state: oidc.randomState(), nonce: oidc.randomNonce() }
  req.session.login = login
  res.redirect(oidc.buildAuthorizationUrl(server, {
    redirect_uri: ORIGIN + '/callback',
    scope: 'openid profile email',
    code_challenge: await oidc.calculatePKCECodeChallenge(login.verifier),
    code_challenge_method: 'S256',
    state: login.state,
    nonce: login.nonce,
  }).href)
})

app.get('/callback', async (req, res) => {
  const { login } = req.session
  if (!login) return res.redirect('/sign-in') // the session of this app has expired meanwhile
  const tokens = await oidc.authorizationCodeGrant(server, new URL(req.originalUrl, ORIGIN), {
    pkceCodeVerifier: login.verifier, expectedState: login.state, expectedNonce: login.nonce, idTokenExpected: true,
  })
  const claims = tokens.claims()
  const info = await oidc.fetchUserInfo(server, tokens.access_token, claims.sub)
  await new Promise((done, failed) => req.session.regenerate(error => error ? failed(error) : done())) // against session fixation
  req.session.user = { sub: claims.sub, sid: claims.sid, name: info.name ?? info.preferred_username }
  keep(req.session, tokens)
  res.redirect('/')
})

function keep(session, tokens) {
  session.tokens = { ...session.tokens, ...tokens, expires: Date.now() + 1000 * tokens.expires_in }
}

// accessToken returns a token for a call to another service, and undefined when the user has to sign in again.
async function accessToken(req, now = false) {
  const { tokens } = req.session
  if (!tokens || !now && tokens.expires > Date.now() + 30_000) return tokens?.access_token
  try {
    keep(req.session, await oidc.refreshTokenGrant(server, tokens.refresh_token))
  } catch (error) {
    if (error.error !== 'invalid_grant') throw error // Signet is busy: the same request again, later
    delete req.session.user // the session has ended
    delete req.session.tokens
  }
  return req.session.tokens?.access_token
}

app.post('/refresh', async (req, res) => {
  await accessToken(req, true)
  res.redirect(303, '/')
})

// Signing out ends the session of this app, then that of the browser at Signet, and with it those of all other apps.
app.post('/sign-out', (req, res, next) => {
  const hint = req.session.tokens?.id_token
  req.session.destroy(error => {
    if (error) return next(error)
    res.redirect(303, oidc.buildEndSessionUrl(server, { post_logout_redirect_uri: ORIGIN + '/', ...(hint && { id_token_hint: hint }) }).href)
  })
})

// Signet calls this when the session has ended elsewhere (OpenID Connect Back-Channel Logout §2.5).
app.post('/backchannel-logout', express.urlencoded(), async (req, res) => {
  res.set('Cache-Control', 'no-store')
  try {
    const sid = await readLogoutToken(req.body.logout_token)
    for (const [id, data] of Object.entries(await all())) {
      if (data.user?.sid === sid) sessions.destroy(id)
    }
    res.sendStatus(200)
  } catch (error) {
    res.status(400).json({ error: 'invalid_request', error_description: error.message })
  }
})

const all = () => new Promise((done, failed) => sessions.all((error, found) => error ? failed(error) : done(found)))

// readLogoutToken returns the session that has ended. typ keeps every other kind of token out.
async function readLogoutToken(token) {
  const { payload } = await jwtVerify(token, keys, { issuer: ISSUER, audience: CLIENT_ID, typ: 'logout+jwt', requiredClaims: ['exp', 'sid'] })
  if (!payload.events?.['http://schemas.openid.net/event/backchannel-logout']) throw new Error('logout_token: no back-channel logout')
  return payload.sid
}

app.use((error, req, res, next) => {
  console.error(error)
  res.status(500).send(page(`<p id="error" role="alert">${escape(error.error_description ?? error.message)}</p><a class="button" href="/">Go on</a>`))
})

const escape = text => String(text).replace(/[&<>"']/g, c => `&#${c.charCodeAt()};`)

const page = content => `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Shop</title><link rel="stylesheet" href="/style.css"><main><h1>Shop</h1>${content}</main></html>`

const signedOut = '<p>You are signed out.</p><a class="button" id="sign-in" href="/sign-in">Sign in</a>'

const signedIn = (user, tokens) => `<p>Signed in as <strong id="name">${escape(user.name)}</strong>.</p>
<dl>
<dt>User</dt><dd id="sub">${escape(user.sub)}</dd>
<dt>Token expires</dt><dd id="expires">${new Date(tokens.expires).toLocaleTimeString()}</dd>
<dt>Signed with</dt><dd id="key">${escape(decodeProtectedHeader(tokens.id_token).kid)}</dd>
</dl>
<form method="post" action="/refresh"><button id="refresh">Refresh now</button></form>
<form method="post" action="/sign-out"><button id="sign-out">Sign out</button></form>`

app.listen(new URL(ORIGIN).port, '127.0.0.1', () => console.log(`ready at ${ORIGIN}`))
