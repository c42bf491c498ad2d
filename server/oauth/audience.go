package oauth

import (
	"slices"
	"strings"

	"signet/server/admin/api"
	"signet/server/syntax"
	"signet/store"
)

// checkAudienceOf returns the audience of a request for the scope. A request that names a scope of the admin API and no
// resource is for that API alone: no other service may get a token with which it could administrate.
func (h *Handler) checkAudienceOf(g *grantRequest, scope string) ([]string, error) {
	allowed := h.audienceOf(g.client)
	if g.GrantType == syntax.GrantClientCredentials && api.Ordinary(scope) != scope {
		if len(g.Form.Resources) == 0 {
			return []string{api.Audience(h.cfg.Issuer)}, nil
		}
		allowed = append(slices.Clip(allowed), api.Audience(h.cfg.Issuer))
	}
	return chooseAudience(g.Form.Resources, allowed)
}

func (h *shared) audienceOf(client *store.Client) []string {
	if len(client.Audiences) > 0 {
		return client.Audiences
	}
	return h.cfg.Settings().Audience
}

// chooseAudience returns the resources asked for, each once, or all of the allowed ones where none
// are asked for. RFC 8707 §2 wants absolute URIs. A plain name will do where an operator has registered
// one as an audience: the token has the same name in aud, and there is no other way to request it.
// Both are compared byte for byte: what looks nearly the same may be another service's.
func chooseAudience(asked, allowed []string) ([]string, error) {
	switch {
	case len(asked) == 0:
		return allowed, nil
	case len(asked) > syntax.MaxAudiences:
		return nil, errTooManyTargets
	}
	var once []string
	for _, resource := range asked {
		switch {
		case syntax.CheckAudience(resource) != "":
			return nil, errMalformedTarget
		case !slices.Contains(allowed, resource):
			return nil, errInvalidTarget.Because("not all of the %d resources asked for are among these: %s", len(asked), strings.Join(allowed, " "))
		}
		if !slices.Contains(once, resource) {
			once = append(once, resource)
		}
	}
	return once, nil
}
