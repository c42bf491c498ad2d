// A single-page app with oidc-client-ts. Every path of the site is this page. The client is public:
//
//   signet client create --id orders --public --grant authorization_code,refresh_token --scope openid,profile,email \
//     --redirect-uri https://orders.example.com/callback --post-logout-uri https://orders.example.com/ --origin https://orders.example.com
import { jwtDecode } from 'jwt-decode'
import { ErrorResponse, UserManager } from 'oidc-client-ts'
import { clientId, issuer } from './settings.js'

const users = new UserManager({
  authority: issuer,
  client_id: clientId,
  redirect_uri: location.origin + '/callback',
  post_logout_redirect_uri: location.origin + '/',
  scope: 'openid profile email', // without offline_access: a client with the grant refresh_token gets refresh tokens anyway
  loadUserInfo: true, // name and e-mail address are at /userinfo, and not in the id_token
})

const element = id => document.getElementById(id)

function show(user, error) {
  element('signed-in').hidden = !user
  element('signed-out').hidden = Boolean(user)
  element('error').hidden = !error
  element('error').textContent = error?.message ?? ''
  if (!user) return
  element('name').textContent = user.profile.name ?? user.profile.preferred_username
  element('sub').textContent = user.profile.sub
  element('expires').textContent = new Date(user.expires_at * 1000).toLocaleTimeString()
  element('key').textContent = jwtDecode(user.id_token, { header: true }).kid
}

// The library refreshes by itself a minute before the access token expires. invalid_grant means that the session has ended: the user
// has signed out in another app, or an operator has ended it. Any other error passes, and the next attempt succeeds.
async function refreshFailed(error) {
  if (error instanceof ErrorResponse && error.error === 'invalid_grant') {
    await users.removeUser()
    return show(null)
  }
  show(await users.getUser(), error)
}

users.events.addUserLoaded(user => show(user))
users.events.addSilentRenewError(refreshFailed)

element('sign-in').onclick = () => users.signinRedirect().catch(error => show(null, error))
element('refresh').onclick = () => users.signinSilent().catch(refreshFailed)
element('sign-out').onclick = () => users.signoutRedirect().catch(error => show(null, error))

// signIn ends a sign-in that the page before this one began. The code in the address is good once, so it goes away.
async function signIn() {
  try {
    await users.signinCallback()
  } finally {
    history.replaceState(null, '', '/')
  }
}

try {
  if (location.pathname === '/callback') await signIn()
  show(await users.getUser())
} catch (error) {
  show(null, error)
}
