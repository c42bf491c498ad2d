package oauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"

	"signet/server/account"
	"signet/server/clientauth"
	"signet/server/edge"
	"signet/server/syntax"
	"signet/server/token"
)

var (
	errNoUser = &edge.Error{Status: http.StatusForbidden, Code: "insufficient_scope",
		Challenge:   `Bearer realm="signet", error="insufficient_scope", error_description="this token has no user"`,
		Description: "this token was given to a client, not to a user: log a user in"}
	errOtherAudience = &edge.Error{Status: http.StatusUnauthorized, Code: "invalid_token",
		Challenge:   `Bearer realm="signet", error="invalid_token", error_description="the access token is for other services"`,
		Description: "the access token is for other services: ask for one with the issuer among its audiences"}
)

// Userinfo is GET or POST /userinfo (OpenID Connect Core §5.3.1): the sub of the token's user, those of the user's own claims that
// the token's client asks for, and with the scope openid the standard claims of its other scopes (§5.4), all as they are now. It
// takes tokens whose audience includes the issuer or the server's default audience: a service that is sent a token of its own learns
// here nothing about the token's user.
func (h *Handler) Userinfo(r *edge.Request) (edge.Response, error) {
	raw, err := r.Bearer()
	if err != nil {
		return edge.Response{}, err
	}
	// A body means nothing here. It is read all the same, within the usual bounds, so that the answer
	// comes after the request and the connection can be used again.
	if _, err := r.ReadBody(); err != nil {
		return edge.Response{}, err
	}
	t, err := h.cfg.Checker.Check(r.Context(), raw)
	if err != nil {
		return edge.Response{}, err
	}
	clientauth.Identify(r, t.Client)
	r.Subject = t.Claims.Subject
	if t.User == nil {
		return edge.Response{}, errNoUser
	}
	if !h.forUserinfo(t.Claims.Audience) {
		return edge.Response{}, errOtherAudience.Because("aud does not include the issuer or the default audience")
	}
	standard, wrong := account.StandardClaims(t.User, t.Claims.Scope)
	h.noteWrong(r, wrong)
	info := make(map[string]json.RawMessage, len(t.Client.Claims)+len(standard)+3)
	maps.Copy(info, standard)
	maps.Copy(info, token.UserClaims(t.Client, t.User))
	// A string always encodes. username is what introspection (RFC 7662 §2.2) and FastAPI's guide call it.
	info["sub"], _ = json.Marshal(t.Claims.Subject)
	info[syntax.UsernameClaim], _ = json.Marshal(t.User.Username)
	info["username"] = info[syntax.UsernameClaim]
	return edge.Response{Body: info}, nil
}

// noteWrong records the claims that were left out because apps could not read them, in the log once for each name.
func (h *Handler) noteWrong(r *edge.Request, wrong []string) {
	for _, name := range wrong {
		r.Cause = errors.Join(r.Cause, fmt.Errorf("the user's claim %s is not of the type that OpenID Connect gives it", name))
		if _, again := h.wrongNoted.LoadOrStore(name, true); !again {
			h.cfg.Log.WarnContext(r.Context(), "a user's claim is not of the type that OpenID Connect gives it, and /userinfo leaves it out; other users may have the same",
				slog.String("claim", name), slog.String("sub", r.Subject))
		}
	}
}

func (h *shared) forUserinfo(aud token.Audience) bool {
	return slices.ContainsFunc(aud, func(service string) bool {
		return service == h.cfg.Issuer || slices.Contains(h.cfg.Settings().Audience, service)
	})
}
