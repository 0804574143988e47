// Package service holds what the services of a security chain have in common:
// which of them stand in the way of a session, and what they have done.
//
// A service is a member under a name. It can look at the messages of HTTP, at
// mail, or at whole sessions; a member that can do none of these for a session is
// not in its way. Neighbouring members that look at HTTP share one engine
// (package web), so that messages are parsed once.
package service
