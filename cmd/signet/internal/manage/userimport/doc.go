// Package userimport is `signet user import`: it reads a table with package usertable and sends it to the admin API.
//
// The table is sent in parts, each a request of its own with an answer for each line. A part whose answer is lost is sent
// again, which changes nothing for the users that it made. So the server may be killed and started at any time, and so may
// the command: started once more, it goes through all of the table. Memory holds one part, and eight bytes for each
// username and each id, by which a second user of one name or id is found.
package userimport
