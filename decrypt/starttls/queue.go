package starttls

// queue holds the commands that have no reply yet, oldest first.
type queue struct {
	commands []command
	head     int
}

// command is a command as far as its reply matters.
type command uint8

const (
	other    command = iota
	greeting         // no command, but answered like one
	upgrade
	capability // the reply lists capabilities
	list       // the positive reply has several lines
	content    // the client sends content when told to
	exchange   // SASL
	login      // success ends what can be followed
)

// push appends c. It returns false when too many commands are outstanding.
func (q *queue) push(c command) bool {
	if len(q.commands)-q.head >= maxOutstanding {
		return false
	}
	if q.head > maxOutstanding {
		q.commands = q.commands[:copy(q.commands, q.commands[q.head:])]
		q.head = 0
	}
	q.commands = append(q.commands, c)
	return true
}

// front returns the oldest command, or other if there is none.
func (q *queue) front() command {
	if q.head < len(q.commands) {
		return q.commands[q.head]
	}
	return other
}

// pop removes the oldest command, if there is one.
func (q *queue) pop() {
	if q.head < len(q.commands) {
		q.head++
	}
	if q.head == len(q.commands) {
		q.commands, q.head = q.commands[:0], 0
	}
}
