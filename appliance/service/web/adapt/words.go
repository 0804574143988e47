package adapt

// Words for what a service did, as in the audit entry, mildest first.
const (
	// The service let the message pass as it is.
	WordUnmodified = "unmodified"
	// The service did not see the message: too long, a stream, or not wanted.
	WordBypassed = "bypassed"
	// The service changed the message.
	WordModified = "modified"
	// The service failed. The message passed, by `on_failure: open`.
	WordFailedOpen = "failed-open"
	// The service failed. clearspan blocked the message, by `on_failure: closed`.
	WordFailedClosed = "failed-closed"
	// The service blocked the message.
	WordBlocked = "blocked"
)

// Words are the words above.
var Words = []string{WordUnmodified, WordBypassed, WordModified, WordFailedOpen, WordFailedClosed, WordBlocked}

// severity orders words: the worst of a session's messages is its result.
var severity = map[string]int{
	WordUnmodified: 1, WordBypassed: 2, WordModified: 3, WordFailedOpen: 4, WordFailedClosed: 5, WordBlocked: 6,
}
