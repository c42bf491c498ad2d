// Package clientspec has the rules for what an operator sets on a client (api.ClientSpec): which values fit together,
// and how a spec and the stored client become each other. It changes no store and takes no secret.
package clientspec
