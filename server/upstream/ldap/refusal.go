package ldap

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/go-ldap/ldap/v3"

	"signet/server/upstream"
)

// refusals are the results of a bind that a directory gives about the user (RFC 4511 appendix A).
var refusals = map[uint16]string{
	ldap.LDAPResultInvalidCredentials:          "wrong password",
	ldap.LDAPResultNoSuchObject:                "the directory has no such entry",
	ldap.LDAPResultInvalidDNSyntax:             "no entry can have such a DN",
	ldap.LDAPResultInappropriateAuthentication: "the entry has no password",
	ldap.LDAPResultUnwillingToPerform:          "the directory does not let the user log in",
	ldap.LDAPResultConstraintViolation:         "the directory does not let the user log in",
	ldap.LDAPResultInsufficientAccessRights:    "the directory does not let the user log in",
}

// activeDirectory are the codes that Active Directory puts into the message of invalidCredentials.
var activeDirectory = map[string]string{
	"525": "no such user",
	"52e": "wrong password",
	"530": "logging in is not allowed at this time",
	"531": "logging in is not allowed from here",
	"532": "the password has expired",
	"533": "the account is disabled",
	"701": "the account has expired",
	"773": "the password must be changed first",
	"775": "the account is locked",
}

var subcode = regexp.MustCompile(`\bdata ([0-9a-f]{3,8})\b`)

// bind returns why the directory refuses the user, "" where it accepts the password. After an error nothing is known.
func bind(conn *ldap.Conn, dn, password string) (reason string, err error) {
	err = conn.Bind(dn, password)
	if err == nil {
		return "", nil
	}
	var result *ldap.Error
	if !errors.As(err, &result) {
		return "", upstream.NoAnswer(err)
	}
	reason, known := refusals[result.ResultCode]
	switch {
	case result.ResultCode == ldap.LDAPResultReferral:
		return "", upstream.BadAnswer("the directory refers to another server, which is not asked")
	case !known:
		return "", upstream.NoAnswer(fmt.Errorf("binding as the user: %w", err))
	}
	if result.Err != nil {
		if m := subcode.FindStringSubmatch(result.Err.Error()); m != nil && activeDirectory[m[1]] != "" {
			reason = activeDirectory[m[1]] + " (data " + m[1] + ")"
		}
	}
	return reason, nil
}
