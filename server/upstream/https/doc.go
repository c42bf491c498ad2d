// Package https is an upstream.Source behind one HTTPS call.
//
// The request is POST with Content-Type application/json:
//
//	{"username": "ada@example.com", "password": "…"}
//
// It is signed where there is a secret. Signet-Timestamp is the time in seconds, and Signet-Signature the HMAC-SHA-256, in
// lower-case hexadecimal, of the timestamp, a point and the body. The other system compares the signature in constant
// time and refuses timestamps that are more than five minutes off. A client certificate can stand in for the secret or
// be used together with it.
//
// The response is 200 with Content-Type application/json. The whole body is the JSON string "no" where there is no such
// user or the password is wrong, or else an object:
//
//	{"id": 17, "claims": {"email": "ada@example.com"}, "disabled": false}
//
// id is a string or a whole number. claims and disabled may be left out. Other members, a member that appears twice, any
// other status (a redirect among them, which is not followed), another type, and more than 64 KiB are no answer about the
// password. So an error page, a login page of a proxy or a refused signature is never taken for a wrong password.
//
// A call is sent again by the HTTP client only where a kept connection turns out to be closed before a byte of the
// response came. Idempotency-Key is then the same. No proxy of the environment is used: it would see the passwords.
package https
