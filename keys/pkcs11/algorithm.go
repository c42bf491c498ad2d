//go:build pkcs11 && cgo

package pkcs11

import (
	"context"
	"fmt"
	"slices"

	cryptoki "github.com/miekg/pkcs11"

	"signet/keys/jose"
)

// PKCS #11 v3.0 §2.3, which the library's constants do not reach.
const (
	ckmEdwardsKeyPairGen = 0x1055
	ckmEdDSA             = 0x1057
)

// The curves as CKA_EC_PARAMS spells them.
var (
	curveP256    = []byte{0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07} // an OID
	curveEd25519 = []byte{0x06, 0x03, 0x2b, 0x65, 0x70}
)

// algorithm is what a token must be able to do for one of ours.
type algorithm struct {
	generate, sign uint // mechanisms
	names          string
	public         []*cryptoki.Attribute // beyond those of every key
	private        []*cryptoki.Attribute
}

func algorithmOf(alg string) (algorithm, bool) {
	curve := func(params []byte) []*cryptoki.Attribute {
		return []*cryptoki.Attribute{cryptoki.NewAttribute(cryptoki.CKA_EC_PARAMS, params)}
	}
	rsa := []*cryptoki.Attribute{
		cryptoki.NewAttribute(cryptoki.CKA_MODULUS_BITS, 2048),
		cryptoki.NewAttribute(cryptoki.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1}),
	}
	signsOnly := []*cryptoki.Attribute{
		cryptoki.NewAttribute(cryptoki.CKA_DECRYPT, false),
		cryptoki.NewAttribute(cryptoki.CKA_UNWRAP, false),
	}
	switch alg {
	case jose.ES256:
		return algorithm{cryptoki.CKM_EC_KEY_PAIR_GEN, cryptoki.CKM_ECDSA, "CKM_EC_KEY_PAIR_GEN and CKM_ECDSA", curve(curveP256), nil}, true
	case jose.RS256:
		return algorithm{cryptoki.CKM_RSA_PKCS_KEY_PAIR_GEN, cryptoki.CKM_RSA_PKCS, "CKM_RSA_PKCS_KEY_PAIR_GEN and CKM_RSA_PKCS", rsa, signsOnly}, true
	case jose.PS256:
		return algorithm{cryptoki.CKM_RSA_PKCS_KEY_PAIR_GEN, cryptoki.CKM_RSA_PKCS_PSS, "CKM_RSA_PKCS_KEY_PAIR_GEN and CKM_RSA_PKCS_PSS", rsa, signsOnly}, true
	case jose.EdDSA:
		return algorithm{ckmEdwardsKeyPairGen, ckmEdDSA, "CKM_EC_EDWARDS_KEY_PAIR_GEN and CKM_EDDSA", curve(curveEd25519), nil}, true
	}
	return algorithm{}, false
}

// can returns the algorithm, or an error that names what the token lacks for it.
func (c *connection) can(alg string) (algorithm, error) {
	a, known := algorithmOf(alg)
	if !known {
		return a, fmt.Errorf("%w: %s is not supported with PKCS#11", ErrSetup, alg)
	}
	list, err := c.lib.GetMechanismList(c.slot)
	if err != nil {
		return a, fmt.Errorf("listing the token's mechanisms: %w", err)
	}
	for _, wanted := range []uint{a.generate, a.sign} {
		if !slices.ContainsFunc(list, func(m *cryptoki.Mechanism) bool { return m.Mechanism == wanted }) {
			return a, fmt.Errorf("%w: the token cannot do %s, which needs %s; take it out of the algorithms, or make its keys locally",
				ErrSetup, alg, a.names)
		}
	}
	return a, nil
}

// Check implements Token.
func (t *token) Check(ctx context.Context, algs []string) error {
	return t.use(ctx, true, func(c *connection) error {
		for _, alg := range algs {
			if _, err := c.can(alg); err != nil {
				return err
			}
		}
		return nil
	})
}
