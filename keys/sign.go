package keys

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"signet/keys/clockcheck"
	"signet/keys/rotation"
)

const maxTyp = 64

// Sign returns a compact JWS (RFC 7515 §7.1) over the claims as JSON, with the header members alg,
// kid and typ, and the kid of the key that signed. An empty alg means the primary algorithm.
// ErrStale when the keyring was not read for SignStale; clockcheck.ErrClock when this replica's clock is off;
// rotation.ErrAlgorithm when nothing signs with alg; privatekey.ErrSigner when a remote key did not sign in time.
func (m *Manager) Sign(ctx context.Context, alg, typ string, claims any) (token, kid string, err error) {
	if err := ctx.Err(); err != nil {
		return "", "", fmt.Errorf("signing a token: %w", err)
	}
	now := m.clock.Reading()
	s, err := m.held.current(now)
	if err != nil {
		return "", "", err
	}
	if unread := clockcheck.Age(s.readAt, now); unread > m.cfg.Timetable.SignStale {
		m.Poll()
		return "", "", fmt.Errorf("signing a token: %w: last read %v ago", ErrStale, unread)
	}
	if err := m.clock.CheckAt(now); err != nil {
		return "", "", fmt.Errorf("signing a token: %w", err)
	}
	key := s.keySet.signer(alg)
	if key == nil {
		return "", "", fmt.Errorf("signing a token: %w %q", rotation.ErrAlgorithm, alg)
	}
	token, err = key.token(ctx, typ, claims)
	if err != nil {
		return "", "", fmt.Errorf("signing a token with %s: %w", key.alg, err)
	}
	return token, key.kid, nil
}

// Ready returns nil when Sign would sign now with the primary algorithm, and otherwise the error that it would
// return, or the privatekey.ErrSigner of the last Probe. It makes no signature.
func (m *Manager) Ready() error {
	now := m.clock.Reading()
	s, err := m.held.current(now)
	if err != nil {
		return err
	}
	if unread := clockcheck.Age(s.readAt, now); unread > m.cfg.Timetable.SignStale {
		return fmt.Errorf("last read %v ago: %w", unread, ErrStale)
	}
	if err := m.clock.CheckAt(now); err != nil {
		return err
	}
	if len(s.keySet.signers) == 0 {
		return rotation.ErrAlgorithm
	}
	return m.prober.ErrorOf(s.keySet.primary())
}

// token signs the claims.
func (k *signer) token(ctx context.Context, typ string, claims any) (string, error) {
	if !plainTyp(typ) {
		return "", fmt.Errorf("typ %q needs escaping or is empty or long", typ)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("encoding the claims: %w", err)
	}
	header := bytes.Join([][]byte{k.header, []byte(typ), []byte(`"}`)}, nil)
	b64 := base64.RawURLEncoding
	const signatureRoom = 1 + 43*8 // a dot and an RSA-2048 signature
	buf := make([]byte, 0, b64.EncodedLen(len(header))+1+b64.EncodedLen(len(payload))+signatureRoom)
	buf = b64.AppendEncode(buf, header)
	buf = append(buf, '.')
	buf = b64.AppendEncode(buf, payload)
	signature, err := k.private.Sign(ctx, string(buf))
	if err != nil {
		return "", err
	}
	buf = append(buf, '.')
	return string(b64.AppendEncode(buf, signature)), nil
}

// plainTyp reports whether typ can stand in a JSON string as it is.
func plainTyp(typ string) bool {
	return typ != "" && len(typ) <= maxTyp && !strings.ContainsFunc(typ, func(r rune) bool {
		return r <= ' ' || r > '~' || r == '"' || r == '\\'
	})
}
