package config

import (
	"net/netip"
	"time"
)

// Config is everything an operator may set. A field tagged live takes effect on SIGHUP, the others
// at the next start.
type Config struct {
	// The URL of this server for apps and services, and the iss of every token. It is compared
	// byte for byte: https, no trailing slash, no query. It may have a path. Plain http is accepted
	// for localhost and loopback addresses only. Changing it makes every token issued so far invalid.
	Issuer string `yaml:"issuer"`

	// Where /token, the key set and the other public endpoints are served: host:port. Beyond the
	// loopback interface it takes tls.cert or tls.terminated_by_proxy.
	Listen string `yaml:"listen"`

	// How many connections to the public listener may be open. One beyond it, or beyond half of it from
	// one network (a /24, or a /64 of IPv6; trusted_proxies excepted), takes the place of the one that
	// has been idle longest. 0: 10000, or fewer where memory or the limit of open files is small.
	MaxConnections int `yaml:"max_connections"`

	// Where Signet keeps what it writes. Empty: the directory of this file.
	DataDir string `yaml:"data_dir"`

	// Where clients, users, sessions and sealed keys are kept. bolt:PATH is one file, relative to
	// data_dir, for one server process. Redis is for several: redis://HOST[:PORT][/DB] is one server,
	// redis+sentinel://HOST[:PORT],HOST[:PORT]/MASTER[/DB] the master that Sentinels name, and
	// redis+cluster://HOST[:PORT],HOST[:PORT] a cluster; rediss in place of redis means TLS. An IPv6
	// address stands in brackets. What else Redis needs, such as a password, is set below redis.
	Store string `yaml:"store"`

	// The file with the master key, which seals the signing keys and refresh tokens; relative to
	// data_dir, readable by its owner only. The variable SIGNET_MASTER_KEY can hold the key instead.
	// Where the variable SIGNET_DATA_DIR names another directory for a second server, and there is no
	// such file in it, the file is looked for where data_dir of this file has it.
	MasterKeyFile string `yaml:"master_key_file"`

	// The algorithms tokens are signed with: ES256, RS256, PS256, EdDSA. The first is what clients get
	// that are not pinned to another. RS256 is for verifiers that support nothing else.
	Algorithms []string `yaml:"algorithms"`

	// The aud of tokens for clients that have no audiences of their own. Empty: the issuer.
	Audience []string `yaml:"audience" live:"true"`

	// A public client for token requests that name none, such as those of code written after
	// FastAPI's guide. Empty: such requests are refused.
	DefaultClient string `yaml:"default_client" live:"true"`

	TLS TLS `yaml:"tls"`

	// The proxies (addresses or CIDR ranges) whose X-Forwarded-For is read. It is used for
	// throttling and in the audit trail, never to build a URL. Empty: it is never read.
	TrustedProxies []netip.Prefix `yaml:"trusted_proxies" live:"true"`

	Admin       Admin       `yaml:"admin"`
	AccessToken AccessToken `yaml:"access_token"`
	Refresh     Refresh     `yaml:"refresh"`
	Password    Password    `yaml:"password"`
	Users       Users       `yaml:"users"`
	Page        Page        `yaml:"page"`

	BackChannelLogout BackChannelLogout `yaml:"backchannel_logout"`

	Throttle Throttle `yaml:"throttle"`
	Keys     Keys     `yaml:"keys"`
	Redis    Redis    `yaml:"redis"`
	Log      Log      `yaml:"log"`
	Audit    Audit    `yaml:"audit"`
	Shutdown Shutdown `yaml:"shutdown"`
}

// Encryption of the public listener. Passwords cross it, so beyond loopback one of the two ways is needed.
type TLS struct {
	// The PEM file with the certificate and its chain, relative to this file. A file that
	// is replaced is noticed by itself.
	Cert string `yaml:"cert"`

	// The PEM file with the certificate's private key, relative to this file.
	Key string `yaml:"key"`

	// A proxy in front of Signet speaks TLS, and only that proxy can reach the listener.
	// Allows plain HTTP beyond loopback. The issuer stays https.
	TerminatedByProxy bool `yaml:"terminated_by_proxy"`
}

// The operator's side, which the signet command talks to.
type Admin struct {
	// The Unix socket, relative to data_dir. Only its owner can open it, and may then do everything.
	Socket string `yaml:"socket"`

	// Also serve the admin API here (host:port), for callers with a token of scope signet:admin, or a narrower one.
	// Empty: not at all.
	Listen string `yaml:"listen"`
}

// The signed tokens that services verify.
type AccessToken struct {
	// How long one is valid. A revocation reaches services that only use the key set when this is
	// over. At most keys.max_token_life; a client may have its own. keys.preset lowers this default too.
	TTL time.Duration `yaml:"ttl" live:"true"`
}

// Refresh tokens and the sessions they carry on.
type Refresh struct {
	// How long after a rotation its predecessor is answered once more, so that an app whose answer was
	// lost stays signed in. Later it counts as stolen and ends the session. 0s to 60s; 0s means never.
	Grace time.Duration `yaml:"grace" live:"true"`

	// How long after a rotation its predecessor still gets a new successor when refresh.grace is over and
	// the first one was not used: an app that lost the answer and slept stays signed in. It makes a stolen
	// token worth more (see server/README.md). At most refresh.idle counts; 0s means never.
	Late time.Duration `yaml:"late" live:"true"`

	// A session ends when it has not been refreshed for this long.
	Idle time.Duration `yaml:"idle" live:"true"`

	// A session ends this long after the login, whatever happens.
	Absolute time.Duration `yaml:"absolute" live:"true"`

	// How often at most one refresh token is answered again inside refresh.grace.
	MaxReplays int `yaml:"max_replays" live:"true"`

	// Beyond this many sessions of one user the oldest ends.
	SessionsPerUser int `yaml:"sessions_per_user" live:"true"`
}

// What passwords must be, and how they are hashed.
type Password struct {
	// Characters a new password must have; 8 at least. NIST SP 800-63B-4 requires 15 where the password
	// is the only factor.
	MinLength int `yaml:"min_length" live:"true"`

	// A file of passwords that are refused, in addition to the built-in list: one a line, or what `signet
	// blocklist build` makes of a dump of breached ones; relative to this file.
	Blocklist string `yaml:"blocklist" live:"true"`

	// Whether the passwords of logins are looked up there as well. A user whose password is found logs in as always; the
	// app's response has "password_breached": true, and `signet user list --weak` lists the user.
	BlocklistAtLogin bool `yaml:"blocklist_at_login" live:"true"`

	// Words a password must not be built from, such as the names of your company and product.
	Context []string `yaml:"context" live:"true"`

	Argon2 Argon2 `yaml:"argon2"`

	Import ImportedHashes `yaml:"import"`

	// Where passwords are hashed. auto: on Linux in a process of its own that gives the cores away to everything
	// else, so that other requests are as fast as without logins; elsewhere, and while that process does not run,
	// in the server. off: always in the server.
	Process string `yaml:"process"`

	// How many passwords are hashed at once. 0: as many as there are cores, or as a container's limit on
	// processor time allows, and no more than half of the memory allows.
	Slots int `yaml:"slots"`

	// How many logins may wait for a slot, however short the wait; the next is answered 503 with
	// Retry-After. 0: 256 a slot.
	Queue int `yaml:"queue"`

	// How long one waits at most before it is answered 503; one that would certainly wait longer is so at once.
	Wait time.Duration `yaml:"wait"`
}

// Where users come from.
type Users struct {
	Upstream Upstream `yaml:"upstream"`
}

// Another login system, which is asked for the passwords of users who are not here yet or not moved. All servers on
// one store take the same. deploy/upstream.md has examples.
type Upstream struct {
	// Where it is. https://HOST/PATH is called with a username and a password; ldaps://HOST or ldap://HOST
	// is a directory. http is accepted for localhost and loopback addresses only. Empty: there is none.
	URL string `yaml:"url"`

	// move: a user whose password it accepts is made here with a hash of its own, and it is not asked for
	// that user again. stay: it is asked at each login, and nothing is hashed here.
	Mode string `yaml:"mode"`

	// The claim that keeps the user's id of the other system.
	IDClaim string `yaml:"id_claim"`

	// The file with the secret that signs calls of https, relative to this file, readable by its owner
	// only. The variable SIGNET_USERS_UPSTREAM_SECRET can hold the secret instead.
	SecretFile string `yaml:"secret_file"`

	// The PEM file with the CA that signed its certificate, relative to this file. Empty: the system's CAs.
	CA string `yaml:"ca"`

	// The PEM file with the certificate that Signet shows it, relative to this file. Empty: none.
	Cert string `yaml:"cert"`

	// The PEM file with that certificate's private key, relative to this file.
	Key string `yaml:"key"`

	// The private networks (addresses or CIDR ranges) that its name may lead to. An address in the URL
	// itself, or localhost, need not be here. No other address outside of the public Internet is called.
	Networks []netip.Prefix `yaml:"networks"`

	// How long a call may take, its wait for a turn included, before the login is answered 503 with
	// Retry-After.
	Timeout time.Duration `yaml:"timeout"`

	// How many calls run at once. Eight times as many may wait; the next login is answered 503.
	Concurrency int `yaml:"concurrency"`

	LDAP Directory `yaml:"ldap"`
}

// A directory: users.upstream.url begins with ldap. A password is checked by a bind as the user.
type Directory struct {
	// Use ldap:// without StartTLS. It is accepted for a directory on this machine only.
	Plaintext bool `yaml:"plaintext"`

	// The DN of the account that searches for users. Empty: the search is anonymous.
	BindDN string `yaml:"bind_dn"`

	// The file with that account's password, relative to this file, readable by its owner only. The
	// variable SIGNET_USERS_UPSTREAM_BIND_PASSWORD can hold the password instead.
	PasswordFile string `yaml:"password_file"`

	// The DN that the search begins at.
	Base string `yaml:"base"`

	// Which entry is the user's. {username} stands for the name, such as
	// (&(objectClass=person)(sAMAccountName={username})) for Active Directory.
	Filter string `yaml:"filter"`

	// The DN of users, in place of a search, such as uid={username},ou=people,dc=example,dc=com.
	UserDN string `yaml:"user_dn"`

	// The attribute that is the user's id: it never changes, and no other entry gets it. objectGUID for
	// Active Directory.
	IDAttribute string `yaml:"id_attribute"`

	// The claims that users get, as ATTRIBUTE=CLAIM for the first value as text, or ATTRIBUTE=CLAIM[] for
	// a list of all values, such as [mail=email, "memberOf=groups[]"].
	Claims []string `yaml:"claims"`
}

// What people see where they sign in. deploy/pages.md has examples.
type Page struct {
	// The name of the company, in the title and where there is no logo. Empty: the host of the issuer.
	Company string `yaml:"company" live:"true"`

	// The language for people who ask for none that is there: en or de, or one that page.templates adds.
	Language string `yaml:"language" live:"true"`

	// The file with the logo, an SVG or a PNG of at most 100 KiB, relative to this file. It is shown up to
	// 40 pixels high.
	Logo string `yaml:"logo" live:"true"`

	// The file with the logo on a dark background, relative to this file. Empty: page.logo.
	LogoDark string `yaml:"logo_dark" live:"true"`

	// A directory with files in place of the program's own: templates, the style sheet, languages; relative to
	// this file. `signet page export` writes those of the program. Empty: there are none.
	Templates string `yaml:"templates" live:"true"`

	Colors PageColors `yaml:"colors"`
	Links  PageLinks  `yaml:"links"`
}

// How apps are informed when a session of theirs has ended: by a call to the backchannel_logout_uri of their client.
type BackChannelLogout struct {
	// The private networks (addresses or CIDR ranges) that those URIs may lead to. No other address outside of
	// the public Internet is called; loopback addresses are, where the issuer has one.
	Networks []netip.Prefix `yaml:"networks"`

	// The PEM file with the CA that signed the certificates of apps, relative to this file. Empty: the system's CAs.
	CA string `yaml:"ca"`

	// How long a call may take. One that takes longer has failed, and is made again later.
	Timeout time.Duration `yaml:"timeout"`

	// How many calls run at once.
	Concurrency int `yaml:"concurrency"`

	// How long an app that does not answer is called again and again for one logout.
	GiveUp time.Duration `yaml:"give_up"`
}

// Colours, written like "#1f4fd8". What is not set is made to suit.
type PageColors struct {
	// Buttons, links and the focus ring. Where a text in it could not be read, a darker or lighter shade is used.
	Accent string `yaml:"accent" live:"true"`

	// The same in the dark theme. Empty: a lighter shade of accent.
	AccentDark string `yaml:"accent_dark" live:"true"`

	// Behind the card.
	Background string `yaml:"background" live:"true"`

	// Behind the card in the dark theme.
	BackgroundDark string `yaml:"background_dark" live:"true"`
}

// Addresses of pages of your own, https or mailto. An empty one is not shown.
type PageLinks struct {
	// For people who have forgotten their password.
	ForgotPassword string `yaml:"forgot_password" live:"true"`

	// Help with signing in.
	Help string `yaml:"help" live:"true"`

	// What is done with personal data.
	Privacy string `yaml:"privacy" live:"true"`

	// The terms of use.
	Terms string `yaml:"terms" live:"true"`

	// Who runs the site.
	Imprint string `yaml:"imprint" live:"true"`
}

// The cost of argon2id. A user whose hash is cheaper gets a new one at the next login.
type Argon2 struct {
	// Memory for one hash, in KiB. 19456 is OWASP's recommendation for two passes.
	MemoryKiB uint32 `yaml:"memory_kib"`

	// Passes over that memory.
	Time uint32 `yaml:"time"`

	// Threads for one hash.
	Threads uint8 `yaml:"threads"`
}

// What a password hash from elsewhere may cost. One that costs more is refused by an import, and its user
// cannot log in until a new password is set.
type ImportedHashes struct {
	// Memory for one hash of argon2, scrypt or yescrypt, in KiB; at most half of the memory that the server has.
	MemoryKiB uint32 `yaml:"argon2_memory_kib"`

	// Passes of argon2 times its memory, in KiB. Other kinds but bcrypt may take as much time; PBKDF2-SHA-256
	// for example 4 million iterations.
	WorkKiB uint32 `yaml:"argon2_work_kib"`

	// The cost of bcrypt; 14 takes about a second.
	BcryptCost int `yaml:"bcrypt_cost"`

	// The file with the pepper that Devise put behind every password, for hashes that are imported with the
	// hash_scheme devise; relative to this file. The variable SIGNET_PASSWORD_PEPPER can hold it instead.
	PepperFile string `yaml:"pepper_file"`
}

// How many failed logins are answered before the next is asked to wait (429 with Retry-After).
type Throttle struct {
	// Failed logins of one account from one network; the waits then double from 1 s to 60 s, until
	// it has been quiet for 15 minutes. The owner can still sign in from elsewhere. 1 to 100.
	PerAccount int `yaml:"per_account" live:"true"`

	// Failed logins of one account from all networks together where it has not logged in before; these
	// then share one try a minute, until it has been quiet for an hour. The owner signs in at the normal
	// rate from where they did before. 0: off.
	Anywhere int `yaml:"anywhere" live:"true"`

	// Failed logins a minute from one network (a /24, or a /64 of IPv6), whatever the account. 0: off.
	PerNetwork int `yaml:"per_network" live:"true"`

	// Failed client authentications a minute of one client from one network. 0: off.
	PerClient int `yaml:"per_client" live:"true"`
}

// The life of a signing key: published, active, retired, removed. The defaults suit every verifier that
// we tried. Signet does not start when these settings do not fit together. `signet doctor` shows how much
// there is to spare, and `signet keys plan` shows the coming year.
type Keys struct {
	// The defaults of everything below and of access_token.ttl. What is set here wins over it.
	//   standard  a key is published for 24h and signs for 30d
	//   strict    it signs for 7d; tokens live 2m, none longer than 15m; a replica that cannot read the
	//             store signs for 5m and serves the key set for 2h. Stolen keys and tokens are worth
	//             less, and the store may be down for less long
	//   fast      everything in seconds, for tests and demos only. Verifiers that wait before they fetch
	//             the key set again refuse fresh tokens (jose 30s, keyfunc 5m, jwx 15m, get-jwks);
	//             PyJWT, go-oidc and Authlib fetch at once
	// Keys that exist keep their plan, so a shorter timetable holds for the keys after the next one.
	// `signet keys rotate` lets the next one sign earlier.
	Preset string `yaml:"preset"`

	// How long a new key is in the key set before it signs.
	Publish time.Duration `yaml:"publish"`

	// How long a key signs.
	Active time.Duration `yaml:"active"`

	// How long a key that has stopped signing stays in the key set.
	Retain time.Duration `yaml:"retain"`

	// How long a verifier may go on using a key set it has fetched.
	Cache time.Duration `yaml:"cache"`

	// How long a cache between them (a CDN) may serve an old key set.
	CDN time.Duration `yaml:"cdn"`

	// How far the clocks of this server's replicas, and of a Redis, may be apart. A replica whose clock
	// is further off signs nothing until it is right again.
	Skew time.Duration `yaml:"skew"`

	// The longest any token lives, whatever a client is given. At most 1h.
	MaxTokenLife time.Duration `yaml:"max_token_life"`

	// How long after its expiry a verifier may still accept a token.
	Leeway time.Duration `yaml:"leeway"`

	// How long a replica goes on signing when it cannot read the keys from the store.
	SignStale time.Duration `yaml:"sign_stale"`

	// How long it goes on serving the key set then.
	ServeStale time.Duration `yaml:"serve_stale"`

	// How often a replica reads the keys.
	Poll time.Duration `yaml:"poll"`

	HSM HSM `yaml:"hsm"`
}

// An HSM that holds the private half of the signing keys, so that no file or memory of this server
// does. It takes a build with PKCS#11 (go build -tags pkcs11).
type HSM struct {
	// The vendor's PKCS#11 library: the absolute path of a shared object. Empty: no HSM.
	Module string `yaml:"module"`

	// The label of the token in it.
	Token string `yaml:"token"`

	// The file with the token's user PIN, relative to this file, readable by its owner only. The
	// variable SIGNET_HSM_PIN can hold the PIN instead.
	PINFile string `yaml:"pin_file"`

	// Make new keys locally all the same; those in the HSM go on until they retire. It is for the way
	// there, where every replica needs the HSM before one makes keys in it, and for the way back.
	LocalKeys bool `yaml:"local_keys"`

	// How long one signature may take, its wait for a turn included, before the request is answered 503
	// with Retry-After.
	Timeout time.Duration `yaml:"timeout"`

	// How many signatures are asked of the HSM at once. Eight times as many may wait; the next is
	// answered 503.
	Concurrency int `yaml:"concurrency"`
}

// How a Redis store is used. It has no effect on another kind of store.
type Redis struct {
	// Every key in Redis begins with it and a colon; installs that share a database need different
	// ones. 1 to 32 letters, digits, hyphens, underscores and dots.
	Prefix string `yaml:"prefix"`

	// The ACL user to sign in as. Empty: Redis's default user.
	Username string `yaml:"username"`

	// The file with that user's password, relative to this file, readable by its owner only. The
	// variable SIGNET_REDIS_PASSWORD can hold the password instead.
	PasswordFile string `yaml:"password_file"`

	// The ACL user to sign in as at the Sentinels. Empty: their default user.
	SentinelUsername string `yaml:"sentinel_username"`

	// The file with that user's password, like password_file. The variable
	// SIGNET_REDIS_SENTINEL_PASSWORD can hold the password instead.
	SentinelPasswordFile string `yaml:"sentinel_password_file"`

	// The PEM file with the CA that signed the servers' certificates, relative to this file. Empty: the
	// system's CAs.
	CA string `yaml:"ca"`

	// The PEM file with the certificate that Signet shows the servers, relative to this file. Empty: none.
	Cert string `yaml:"cert"`

	// The PEM file with that certificate's private key, relative to this file.
	Key string `yaml:"key"`

	// The name that the servers' certificates must have. Empty: the host of each address.
	ServerName string `yaml:"server_name"`

	// How many connections to each server there are at most. 0: chosen by the number of cores.
	PoolSize int `yaml:"pool_size"`

	// How many replicas must have confirmed a revocation, a change of a user or client, a new keyring,
	// or that a client assertion was used, before it is acknowledged. 0 to 5; 0 means never to ask. It
	// is asked only of servers that have a replica, or had one since the start.
	WaitReplicas int `yaml:"wait_replicas"`
}

// The log, on standard error.
type Log struct {
	// The least that is logged: debug, info, warn or error.
	Level string `yaml:"level" live:"true"`

	// json for programs, text for people.
	Format string `yaml:"format"`

	// Also write the username of every failed login as it was typed, in the log and the audit trail. Without
	// it, a name that is no user's is a keyed hash there, because people type passwords in the wrong field.
	Usernames bool `yaml:"usernames" live:"true"`
}

// The audit trail that `signet audit list` shows. Each class of events loses its own oldest, so that a flood
// of one class does not end what is known of another.
type Audit struct {
	// How many events are kept in all. A class below that is 0 gets a share of this number: keys 5 %, admin 20 %,
	// sessions 45 %, own 10 %, refusals 20 %.
	Retain int `yaml:"retain"`

	// Signing keys.
	Keys int `yaml:"keys"`

	// What operators did.
	Admin int `yaml:"admin"`

	// Logins, sessions that ended, reuse of refresh tokens.
	Sessions int `yaml:"sessions"`

	// Revocations by the client whose token it was.
	Own int `yaml:"own"`

	// Refused requests, and counts of those that were left out.
	Refusals int `yaml:"refusals"`
}

// What happens on SIGTERM.
type Shutdown struct {
	// How long the server reports that it is not ready before it stops accepting, so that a load balancer notices.
	Delay time.Duration `yaml:"delay"`

	// How long the requests under way may take after that.
	Drain time.Duration `yaml:"drain"`
}
