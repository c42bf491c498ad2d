package recovery

import (
	"bytes"
	"cmp"
	"slices"

	"signet/store"
)

func (o *Overlay) applyClient(c *store.Client) bool {
	known := o.History.clients[c.ID]
	now, stands := o.replacedClient(c.ID)
	if known == nil {
		known = &changes{}
	} else {
		o.clientsIn[c.ID] = true
		known = known.against(c.UpdatedAt, c.Revision)
	}
	remade := stands == present && !now.CreatedAt.Equal(c.CreatedAt) // deleted, and created again under the same id
	if stands == absent || remade || stands == unknown && known.deleted.After(c.CreatedAt) {
		o.clients[c.ID] = ending{gone: true}
		o.Preserved.DeletedClients = append(o.Preserved.DeletedClients, c.ID)
		return false
	}
	was := *c
	if stands == present {
		o.clientOfState(c, now)
	} else {
		o.clientOfEvents(c, known)
	}
	if c.Disabled && !was.Disabled {
		o.Preserved.DisabledClients = append(o.Preserved.DisabledClients, c.ID)
	}
	o.clients[c.ID] = ending{before: c.NotBefore, epoch: c.Epoch}
	return true
}

// clientOfState takes from the client what the replaced store no longer gave it.
func (o *Overlay) clientOfState(c *store.Client, now store.Client) {
	c.Disabled = now.Disabled
	if !slices.EqualFunc(c.Secrets, now.Secrets, sameSecret) {
		if slices.ContainsFunc(c.Secrets, func(s store.Secret) bool { return !containsSecret(now.Secrets, s) }) {
			o.Preserved.RevokedSecrets = append(o.Preserved.RevokedSecrets, c.ID)
		}
		if slices.ContainsFunc(now.Secrets, func(s store.Secret) bool { return !containsSecret(c.Secrets, s) }) {
			o.Preserved.NewSecrets = append(o.Preserved.NewSecrets, c.ID)
		}
		c.Secrets = now.Secrets
	}
	if narrowRights(c, now) {
		o.Preserved.NarrowedClients = append(o.Preserved.NarrowedClients, c.ID)
	}
	c.Epoch, c.Revision = max(c.Epoch, now.Epoch), max(c.Revision, now.Revision)
	c.NotBefore, c.UpdatedAt = latest(c.NotBefore, now.NotBefore), latest(c.UpdatedAt, now.UpdatedAt)
}

func sameSecret(a, b store.Secret) bool { return bytes.Equal(a.Hash, b.Hash) }

func containsSecret(list []store.Secret, s store.Secret) bool {
	return slices.ContainsFunc(list, func(other store.Secret) bool { return sameSecret(other, s) })
}

// narrowRights leaves the client the rights that both records give it, and reports whether that takes
// anything. Keys and ways to authenticate are the newer record's: the older ones may have leaked.
func narrowRights(c *store.Client, now store.Client) bool {
	narrowed := !bytes.Equal(c.JWKS, now.JWKS) || !slices.Equal(c.AuthMethods, now.AuthMethods)
	c.JWKS, c.AuthMethods, c.Public = now.JWKS, now.AuthMethods, now.Public
	for _, list := range []struct{ had, now *[]string }{
		{&c.Grants, &now.Grants}, {&c.Scopes, &now.Scopes}, {&c.Origins, &now.Origins}, {&c.Claims, &now.Claims},
		{&c.RedirectURIs, &now.RedirectURIs}, {&c.PostLogoutURIs, &now.PostLogoutURIs},
	} {
		narrowed = intersect(list.had, *list.now) || narrowed
	}
	// In these an empty list is the widest: the server's default audience, and tokens for any audience.
	for _, list := range []struct{ had, now *[]string }{{&c.Audiences, &now.Audiences}, {&c.IntrospectFor, &now.IntrospectFor}} {
		switch {
		case len(*list.now) == 0:
		case len(*list.had) == 0:
			*list.had, narrowed = *list.now, true
		default:
			before := *list.had
			if narrowed = intersect(list.had, *list.now) || narrowed; len(*list.had) == 0 && len(before) > 0 {
				*list.had = *list.now // nothing in common: empty would be wider than either
			}
		}
	}
	if c.Introspect && !now.Introspect {
		c.Introspect, narrowed = false, true
	}
	if now.RequirePAR && !c.RequirePAR {
		c.RequirePAR, narrowed = true, true
	}
	if c.BackchannelLogoutURI != now.BackchannelLogoutURI { // who is notified of logouts is the newer record's, as keys are
		c.BackchannelLogoutURI, narrowed = now.BackchannelLogoutURI, true
	}
	if now.AccessTokenTTL != 0 && (c.AccessTokenTTL == 0 || now.AccessTokenTTL < c.AccessTokenTTL) {
		c.AccessTokenTTL, narrowed = now.AccessTokenTTL, true
	}
	c.Alg = cmp.Or(now.Alg, c.Alg)
	return narrowed
}

// intersect removes from had what is not in now, and reports whether there was any.
func intersect(had *[]string, now []string) bool {
	n := len(*had)
	*had = slices.DeleteFunc(slices.Clone(*had), func(s string) bool { return !slices.Contains(now, s) })
	return len(*had) < n
}

// clientOfEvents takes from the client what events name.
func (o *Overlay) clientOfEvents(c *store.Client, known *changes) {
	was := c.UpdatedAt
	c.Disabled = known.switched(c.Disabled, was)
	if left := secretsLeft(c.Secrets, known.rotations, was.UnixMilli()); len(left) < len(c.Secrets) {
		c.Secrets = left
		o.Preserved.RevokedSecrets = append(o.Preserved.RevokedSecrets, c.ID)
	}
	c.NotBefore = notBefore(c.NotBefore, o.allEnded, known.disabled)
	if epoch := max(c.Epoch, known.epoch); epoch > c.Epoch {
		c.Epoch = epoch
	}
}

// secretsLeft returns which secrets of the backup are still good after rotations from after a time (Unix
// milliseconds). A client has at most two: a rotation pushes the older out, or both where it revokes them;
// a revocation by itself takes the older. Where the event names the one that was dropped, it is that one.
func secretsLeft(secrets []store.Secret, rotations []secretRotation, after int64) []store.Secret {
	slices.SortStableFunc(rotations, func(a, b secretRotation) int { return a.at.Compare(b.at) })
	known := slices.Clone(secrets) // newest first; the zero Secret stands for one that is not known here
	for _, r := range rotations {
		if r.at.UnixMilli() <= after {
			continue
		}
		if r.dropped != "" {
			known = withoutSecret(known, r.dropped)
		}
		switch {
		case r.dropped != "" && !r.adds:
			continue
		case r.adds && r.revoke:
			known = []store.Secret{{}}
		case r.adds:
			known = append([]store.Secret{{}}, known...)
		}
		known = known[:min(len(known), 2)]
		if r.revoke && !r.adds {
			known = known[:min(len(known), 1)]
		}
	}
	return slices.DeleteFunc(known, func(s store.Secret) bool { return len(s.Hash) == 0 })
}

// withoutSecret removes the secret of the fingerprint. One that is not known here is the newest.
func withoutSecret(known []store.Secret, fingerprint string) []store.Secret {
	at := slices.IndexFunc(known, func(s store.Secret) bool { return len(s.Hash) > 0 && s.Fingerprint() == fingerprint })
	if at < 0 {
		at = slices.IndexFunc(known, func(s store.Secret) bool { return len(s.Hash) == 0 })
	}
	if at < 0 {
		return known
	}
	return slices.Delete(known, at, at+1)
}
