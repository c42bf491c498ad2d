// Package inspect has `signet token`: it shows a token, checks it as a service would, and signs assertions of clients.
//
// It verifies with golang-jwt and a JWK Set that it fetches, and not with the code of the server. So a fault of the
// server's own code is noticed here and in package drill, which uses the same functions.
package inspect
