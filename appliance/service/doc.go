// Package service holds the common parts of the services of a security chain: the
// selection of the services for a session, and their results.
//
// A service is a member under a name. It reads HTTP messages, mail, or whole
// sessions. If a member can read none of these in a session, the session bypasses
// it. Neighbouring members that read HTTP share one engine (package web), which
// parses messages once.
package service
