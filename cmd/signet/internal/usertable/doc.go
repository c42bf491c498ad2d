// Package usertable reads the user tables of other systems and writes each user as a line of an import (api.UserRecord).
//
// It reads a table from its beginning to its end and holds one user at a time, so memory does not grow with the table. A
// record that cannot be used is a Row with an error, and reading goes on behind it. Where the structure of the file is
// lost (an array that breaks off, a quote that is never closed), reading ends with an error.
//
// What a system writes is turned into what the server accepts, and nothing is guessed: the server reads the password
// hashes, and refuses what it does not support.
package usertable
