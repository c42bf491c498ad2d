// Package doctor has the commands that check an install without changing it: doctor, config check and healthcheck.
//
// Doctor collects findings instead of stopping at the first problem. It uses the functions of the start, so it finds
// what would stop a start, and more: settings that lose data, verifiers that cache for too long, clients with more
// rights than they need.
package doctor
