// Package api answers questions about what a recorder has kept, over HTTP.
//
// All routes are below /api/v1/recorder and need a token, see [Tokens]. Each route asks for a
// role, see [Routes]. Answers are JSON; errors are problem details (RFC 9457). Contents are
// handed out as attachments that no browser shows or runs.
//
// # Roles
//
// A viewer sees the trail: who, when, where to, how. An investigator sees contents, and must
// say for which case and why. An auditor sees who looked at what, and verifies. No role has
// another one in it.
//
// # Pages
//
// Lists take q (a query of package trail), from and to (RFC 3339), limit, and cursor, which is
// "next" of the page before. They are ordered by time, the newest first.
//
// # Access
//
// Each request by a valid token is told to [Config].Log, before its answer begins: whoever
// looks leaves a trace. If it cannot be logged, it is not answered.
package api
