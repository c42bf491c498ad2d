// Package clientfile reads and writes files of clients: YAML that lives in version control, which `signet apply` compares
// with a server and `signet client export` writes.
//
// A file is one mapping with the one key clients, a list. The members of a client have the names of the admin API's JSON
// (api.ClientSpec), and id is short for client_id. Beside these there are disabled, which stays as it is on the server
// where it is left out, and secret, which names where a secret is (SecretSource) and never has it. A member that is left
// out has the default of a new client, so that a line that is removed is a change.
//
// A file is read as a whole or not at all, and every problem has its file and line. What could be the rest of a larger
// file is refused: an empty file, a key without a value, a directory without files. So is what a reviewer cannot see at
// a glance: several documents, merge keys, aliases that lead to themselves.
package clientfile
